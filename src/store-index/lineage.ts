import { invalidArgument, StowageError } from '../errors.ts';
import { parsePathspec } from '../format/pathspec.ts';
import { checkOptions, type OptionKind, type OptionTable, wholeNumber } from '../options/option-table.ts';
import type { CallOptions, SqlRow } from '../storage/contract.ts';
import { compareNames } from '../storage/name-order.ts';
import { validateUserName } from '../storage/names.ts';
import { keyTerm } from './find-conditions.ts';
import type { IndexDatabase } from './index-database.ts';
import { linksFrom, type Start, startsOf } from './lineage-rows.ts';

/** Options of {@link StoreIndex.lineage}. */
export interface LineageOptions extends CallOptions {
  /**
   * What it was made from: so many steps back at most, or `true` for all. Default: `true` if `down` is not given either, else `false`.
   */
  up?: boolean | number | undefined;
  /** Who used it: so many steps on at most, or `true` for all. Default: as for `up`. */
  down?: boolean | number | undefined;
  /** So many links at most, of which the last says that there are more. Default 10,000. */
  limit?: number | undefined;
}

/** How one attempt used another: it read artifacts of it or took them over; is the record of a hit of its result; or called it as a cached task. */
export type LineageUse = 'read' | 'recorded hit' | 'cached call';

/** An attempt of a lineage, by one link to it. */
export interface LineageLink {
  /** `start`: what was asked for. `up`: `from` used it. `down`: it used `from`. */
  direction: 'start' | 'up' | 'down';
  /** Links from the start. */
  depth: number;
  /** `flow/run/step/task/attempt` */
  pathspec: string;
  /** The attempt on the other side of the link; absent of a start. */
  from?: string;
  use?: LineageUse;
  /** Absent where the index has no such attempt: it was removed, or lies in another store. */
  status?: string;
  label?: string;
  /** It was told before, in this direction: what is behind it is not told again. */
  isRepeated?: true;
  /** The limit ends the lineage here. */
  isCut?: true;
}

const EXTENT: OptionKind = {
  expects: 'true, false, or a number of steps from 0 on',
  accepts: (value) => typeof value === 'boolean' || (Number.isSafeInteger(value) && (value as number) >= 0),
};
const LINEAGE: OptionTable<LineageOptions> = { up: EXTENT, down: EXTENT, limit: wholeNumber(1, 1_000_000) };

const DEFAULT_LIMIT = 10_000;
/** The links of so many attempts are asked for at once. */
const AT_ONCE = 200;

/**
 * What an attempt, or a content, was made from, and who used it: level by level, each link once, in an order that the names give. A cycle
 * ends at the attempt that was told before. More than 1,000 attempts that used one, or that have a content, come as the index has them.
 *
 * @param of - `flow/run/step/task`, of which the latest attempt counts, with an attempt behind it; or the key of a content, or its
 * beginning from 8 digits on, of which every attempt counts that has it
 * @throws StowageError `INVALID_ARGUMENT`, `INVALID_PATHSPEC`, `INVALID_NAME`, at once; `TASK_NOT_FOUND`, `ATTEMPT_NOT_FOUND` or
 * `CONTENT_NOT_FOUND` for what the index does not have
 */
export function lineageOf(
  database: IndexDatabase,
  of: string,
  options: LineageOptions = {},
): AsyncGenerator<LineageLink> {
  checkOptions(options, 'lineage', LINEAGE);
  const isBoth = options.up === undefined && options.down === undefined;
  const extent = (given: boolean | number | undefined): number =>
    typeof given === 'number' ? given : (given ?? isBoth) ? Number.POSITIVE_INFINITY : 0;
  return marked(
    linksOf(database, startOf(of), { up: extent(options.up), down: extent(options.down) }, options),
    options.limit ?? DEFAULT_LIMIT,
  );
}

/** Tells `limit` of them, and of the last one whether there are more. */
async function* marked(links: AsyncGenerator<LineageLink>, limit: number): AsyncGenerator<LineageLink> {
  let told = 0;
  let last: LineageLink | undefined;
  for await (const link of links) {
    if (told === limit) {
      yield { ...(last as LineageLink), isCut: true };
      return;
    }
    if (last) yield last;
    last = link;
    told += 1;
  }
  if (last) yield last;
}

function startOf(of: unknown): Start {
  if (typeof of !== 'string')
    throw invalidArgument('lineage takes a pathspec or the key of a content, as text.');
  if (!of.includes('/')) {
    const parameters: unknown[] = [];
    const term = keyTerm(of, (value) => `$${parameters.push(value)}`);
    return {
      where: `a.id in (select attempt_id from artifacts where ${term})`,
      parameters,
      key: term,
      missing: () =>
        new StowageError('CONTENT_NOT_FOUND', `No attempt in the index has content of the key ${of}.`, {
          details: { key: of },
        }),
    };
  }
  const cut = of.indexOf('/');
  const flow = validateUserName(of.slice(0, cut), 'flow name');
  const { run, step, task, attempt } = parsePathspec(of.slice(cut + 1));
  const isLatest = attempt === undefined;
  return {
    where: `a.flow = $1 and a.run = $2 and a.step = $3 and a.task = $4 and a.attempt = ${
      isLatest
        ? '(select max(b.attempt) from attempts b where b.flow = $1 and b.run = $2 and b.step = $3 and b.task = $4)'
        : '$5'
    }`,
    parameters: [flow, run, step, task, ...(isLatest ? [] : [attempt])],
    missing: () =>
      new StowageError(
        isLatest ? 'TASK_NOT_FOUND' : 'ATTEMPT_NOT_FOUND',
        `The index has no attempt ${of}: see what the store has with stowage ls, and catch the index up.`,
        { details: { pathspec: of } },
      ),
  };
}

async function* linksOf(
  database: IndexDatabase,
  start: Start,
  extents: { up: number; down: number },
  { signal }: CallOptions,
): AsyncGenerator<LineageLink> {
  const starts = new Set<string>();
  for await (const row of startsOf(database, start, { signal })) {
    const link = { direction: 'start', depth: 0, ...attemptOf(row) } as const;
    if (starts.has(link.pathspec)) continue;
    starts.add(link.pathspec);
    yield link;
  }
  if (starts.size === 0) throw start.missing();
  for (const direction of ['up', 'down'] as const) {
    const seen = new Set(starts);
    let level = [...starts];
    for (let depth = 1; level.length > 0 && depth <= extents[direction]; depth += 1) {
      const next: string[] = [];
      for (let at = 0; at < level.length; at += AT_ONCE) {
        const near = level.slice(at, at + AT_ONCE).sort(compareNames);
        for await (const row of linksFrom(database, direction, near, { signal })) {
          const attempt = attemptOf(row);
          const isRepeated = seen.has(attempt.pathspec);
          if (!isRepeated) {
            seen.add(attempt.pathspec);
            next.push(attempt.pathspec);
          }
          const from = String(row.origin);
          yield {
            direction,
            depth,
            ...attempt,
            from,
            use: useOf(row),
            ...(isRepeated ? { isRepeated } : {}),
          };
        }
      }
      level = next;
    }
  }
}

/** The task id of a cached call is the beginning of its key, so that the record of a hit has the step and the task of its source. */
function useOf({ source_key, is_same }: SqlRow): LineageUse {
  if (source_key === null) return 'read';
  return Number(is_same) === 1 ? 'recorded hit' : 'cached call';
}

function attemptOf({ flow, run, step, task, attempt, status, label }: SqlRow): {
  pathspec: string;
  status?: string;
  label?: string;
} {
  return {
    pathspec: `${flow}/${run}/${step}/${task}/${attempt}`,
    ...(status === null ? {} : { status: String(status) }),
    ...(label === null ? {} : { label: String(label) }),
  };
}
