import { checkOptions, FLAG, type OptionTable, wholeNumber } from '../options/option-table.ts';
import type { CallOptions, SqlRow } from '../storage/contract.ts';
import { CONDITIONS, type FindConditions, type Terms, termsOf } from './find-conditions.ts';
import { type IndexDatabase, isInList, listParameter, textOf } from './index-database.ts';

/** Options of {@link StoreIndex.find}. */
export interface FindOptions extends FindConditions, CallOptions {
  /** Every attempt is looked at. Default `false`: of each task the latest one. */
  allAttempts?: boolean | undefined;
  /** So many at most. Default: no limit; they are read by pages. */
  limit?: number | undefined;
}

/** An attempt that was found. */
export interface FoundAttempt {
  /** `flow/run/step/task/attempt` */
  pathspec: string;
  flow: string;
  run: string;
  step: string;
  task: string;
  attempt: number;
  status: string;
  label?: string;
  /** ISO 8601. */
  startedAt?: string;
  endedAt?: string;
  durationMs?: number;
  /** `Error: what happened`, of one that failed. */
  error?: string;
  /** The artifacts that it has, at most 100, by name; where artifacts were asked for, those that match. */
  artifacts: readonly FoundArtifact[];
  /** The leaves of metadata that were asked for. */
  metadata: Readonly<Record<string, string | number | null>>;
}

/** An artifact of an attempt that was found. */
export interface FoundArtifact {
  name: string;
  type: string;
  key: string;
  /** Its size as it is loaded. */
  bytes: number;
}

const FIND: OptionTable<FindOptions> = { ...CONDITIONS, allAttempts: FLAG, limit: wholeNumber(1) };

const PAGE = 200;
/** A condition that so many attempts meet at most is begun with; else attempts are gone through from the newest on. */
const FEW = 2000;
const MAX_ARTIFACTS = 100;

/**
 * The attempts that meet all conditions, the newest first; those without a time of start come last.
 *
 * @throws StowageError `INVALID_ARGUMENT`, at once
 */
export function findAttempts(
  database: IndexDatabase,
  options: FindOptions = {},
): AsyncGenerator<FoundAttempt> {
  checkOptions(options, 'find', FIND);
  return new Finding(database, options, termsOf(options)).found();
}

class Finding {
  readonly #database: IndexDatabase;
  readonly #options: FindOptions;
  readonly #terms: Terms;

  constructor(database: IndexDatabase, options: FindOptions, terms: Terms) {
    this.#database = database;
    this.#options = options;
    this.#terms = terms;
  }

  async *found(): AsyncGenerator<FoundAttempt> {
    const { signal, limit = Number.POSITIVE_INFINITY, since } = this.#options;
    const first = await this.#firstTerm();
    let told = 0;
    for (const isTimed of since ? [true] : [true, false]) {
      let last: SqlRow | undefined;
      for (;;) {
        const size = Math.min(PAGE, limit - told);
        if (size <= 0) return;
        const rows = await this.#database.read(this.#page(first, isTimed, last, size), { signal });
        for (const found of await this.#toFound(rows)) yield found;
        told += rows.length;
        if (rows.length < size) break;
        last = rows.at(-1);
      }
    }
  }

  /** The condition on another table that the fewest attempts meet, if they are few: the place in `elsewhere`. */
  async #firstTerm(): Promise<number | undefined> {
    const { elsewhere, parameters } = this.#terms;
    let best: { at: number; count: number } | undefined;
    for (const [at, term] of elsewhere.entries()) {
      const text = `select count(*) as count from (${term} limit ${FEW + 1}) few`;
      const used = numbered(text, parameters);
      const [row] = await this.#database.read(used, { signal: this.#options.signal });
      const count = Number(row?.count ?? 0);
      if (count <= FEW && count < (best?.count ?? Number.POSITIVE_INFINITY)) best = { at, count };
    }
    return best?.at;
  }

  #page(
    first: number | undefined,
    isTimed: boolean,
    last: SqlRow | undefined,
    size: number,
  ): { text: string; parameters: unknown[] } {
    const { own, elsewhere, parameters: given } = this.#terms;
    const parameters = [...given];
    const p = (value: unknown): string => `$${parameters.push(value)}`;
    // An expression keeps the database from going through attempts by time for the few that a condition leaves.
    const { flow, run } = this.#options;
    const isNarrow = first !== undefined || (flow !== undefined && run !== undefined);
    const time = isNarrow ? 'a.started_at + 0' : 'a.started_at';
    const id = isNarrow ? 'a.id + 0' : 'a.id';
    const where = [...own, `${time} is ${isTimed ? 'not ' : ''}null`];
    let from = 'attempts a';
    for (const [at, term] of elsewhere.entries()) {
      const id = /^select t\.id/.test(term) ? 'id' : 'attempt_id';
      if (at !== first) where.push(`exists (select 1 from (${term}) met where met.${id} = a.id)`);
      else {
        // Has SQLite begin with it, whatever indexes the other conditions have.
        const join = this.#database.type === 'sqlite' ? 'cross join' : 'join';
        from = `(select distinct ${id} as id from (${term}) met) few ${join} attempts a on a.id = few.id`;
      }
    }
    if (!this.#options.allAttempts)
      where.push(
        'not exists (select 1 from attempts b where b.flow = a.flow and b.run = a.run and b.step = a.step and b.task = a.task and b.attempt > a.attempt)',
      );
    if (last && isTimed)
      where.push(`(${time}, a.id) < (${p(Number(last.started_at))}, ${p(Number(last.id))})`);
    else if (last) where.push(`${id} < ${p(Number(last.id))}`);
    const order = isTimed ? `${time} desc, a.id desc` : `${id} desc`;
    const text = `select a.* from ${from} where ${where.join(' and ')} order by ${order} limit ${p(size)}`;
    return { text, parameters };
  }

  async #toFound(rows: readonly SqlRow[]): Promise<FoundAttempt[]> {
    if (rows.length === 0) return [];
    const { type: kind } = this.#database;
    const { signal, artifact, type, key, metadata } = this.#options;
    const ids = listParameter(rows.map(({ id }) => Number(id)));
    const within = isInList(kind, 'attempt_id', '$1', 'whole');
    const artifacts = await this.#database.read(
      {
        text: `select * from (select attempt_id, name, type, key, bytes, row_number() over (partition by attempt_id order by name) as at
          from artifacts where ${within} and ($2 = '' or name = $2) and ($3 = '' or type = $3) and ($4 = '' or (key >= $4 and key < $5))) numbered where at <= ${MAX_ARTIFACTS} order by attempt_id, at`,
        parameters: [ids, textOf(artifact ?? ''), textOf(type ?? ''), key ?? '', `${key ?? ''}g`],
      },
      { signal },
    );
    const paths = Object.keys(metadata ?? {}).map(textOf);
    const leaves =
      paths.length === 0
        ? []
        : await this.#database.read(
            {
              // An expression, so that it goes by the attempts, not by all leaves of a path.
              text: `select attempt_id, path, number, text from metadata where ${within} and ${isInList(kind, "path || ''", '$2', 'text')} order by path`,
              parameters: [ids, listParameter(paths)],
            },
            { signal },
          );
    const artifactsOf = byAttempt(artifacts);
    const leavesOf = byAttempt(leaves);
    return rows.map((row) => ({
      ...attemptOf(row),
      artifacts: (artifactsOf.get(Number(row.id)) ?? []).map((each) => ({
        name: String(each.name),
        type: String(each.type),
        key: String(each.key),
        bytes: Number(each.bytes),
      })),
      metadata: Object.fromEntries(
        (leavesOf.get(Number(row.id)) ?? []).map(({ path, number, text }) => [
          String(path),
          number === null ? (text as string | null) : Number(number),
        ]),
      ),
    }));
  }
}

/** What a row of `attempts` tells. */
function attemptOf(row: SqlRow): Omit<FoundAttempt, 'artifacts' | 'metadata'> {
  const { flow, run, step, task, attempt, status, label, started_at, ended_at, duration_ms } = row;
  const error = [row.error_name, row.error].filter((text) => text).join(': ');
  return {
    pathspec: `${flow}/${run}/${step}/${task}/${attempt}`,
    flow: String(flow),
    run: String(run),
    step: String(step),
    task: String(task),
    attempt: Number(attempt),
    status: String(status),
    ...(label === null ? {} : { label: String(label) }),
    ...(started_at === null ? {} : { startedAt: new Date(Number(started_at)).toISOString() }),
    ...(ended_at === null ? {} : { endedAt: new Date(Number(ended_at)).toISOString() }),
    ...(duration_ms === null ? {} : { durationMs: Number(duration_ms) }),
    ...(error === '' ? {} : { error }),
  };
}

function byAttempt(rows: readonly SqlRow[]): Map<number, SqlRow[]> {
  const map = new Map<number, SqlRow[]>();
  for (const row of rows) {
    const id = Number(row.attempt_id);
    const there = map.get(id);
    if (there) there.push(row);
    else map.set(id, [row]);
  }
  return map;
}

/** A part of a statement with those of its parameters that it names, numbered from 1 on: PostgreSQL takes no others. */
function numbered(text: string, parameters: readonly unknown[]): { text: string; parameters: unknown[] } {
  const used: unknown[] = [];
  const renamed = text.replaceAll(/\$(\d+)/g, (_, digits) => `$${used.push(parameters[Number(digits) - 1])}`);
  return { text: renamed, parameters: used };
}
