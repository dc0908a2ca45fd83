import { SingleFlight } from '../async/single-flight.ts';
import type { OpenAttempt } from '../attempts/open-attempt.ts';
import { listAttempts, readDone } from '../format/attempt-files.ts';
import { type PartialName, parsePartialName, partialPrefix } from '../format/partial-names.ts';
import type { TaskPath } from '../format/pathspec.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';

/** The records of attempts before one, that it may go on from: those of the latest attempt first. */
export interface EarlierRecords {
  /** By call: the attempts that recorded it. */
  traces: ReadonlyMap<string, readonly number[]>;
  checkpoints: readonly Extract<PartialName, { kind: 'checkpoint' }>[];
}

/** The records that an open attempt may go on from, listed once, when they are first asked for. */
export class EarlierAttempts {
  readonly #attempt: OpenAttempt;
  readonly #since: number | undefined;
  readonly #flights = new SingleFlight<EarlierRecords>();
  #records: EarlierRecords | undefined;

  /** @param since - the first attempt that counts. Default: any */
  constructor(attempt: OpenAttempt, since?: number) {
    this.#attempt = attempt;
    this.#since = since;
  }

  async records({ signal }: CallOptions): Promise<EarlierRecords> {
    const { path, number, context } = this.#attempt;
    const since = this.#since;
    const list = (flight: CallOptions): Promise<EarlierRecords> =>
      listEarlier(context.content.storage, path, number, { since, signal: flight.signal });
    this.#records ??= await this.#flights.run('earlier', list, { signal });
    return this.#records;
  }
}

/** So many attempts before one are looked at, from the latest on. */
const MAX_ATTEMPTS = 100;
const NOTHING: EarlierRecords = { traces: new Map(), checkpoints: [] };

/**
 * Lists the records that attempt `number` may go on from (model: `replay`): those of the attempts behind the latest that is done, without those that
 * a mark gives up. Nothing is asked for the first attempt; else a LIST, and where it shows a record another one, and a GET for each closed
 * attempt that may be done.
 *
 * @throws StowageError `RECORD_DAMAGED`, `UNSUPPORTED_FORMAT` for a DONE that cannot be read
 */
async function listEarlier(
  storage: DataStoreStorage,
  path: TaskPath,
  number: number,
  { since = 0, signal }: CallOptions & { since?: number | undefined },
): Promise<EarlierRecords> {
  if (number <= since) return NOTHING;
  const records: PartialName[] = [];
  for await (const page of storage.list({ prefix: partialPrefix(path), signal })) {
    for (const { name } of page.objects) {
      const record = parsePartialName(name);
      if (record && record.attempt < number && record.attempt >= since) records.push(record);
    }
  }
  if (records.length === 0) return NOTHING;
  const counting = await attemptsThatCount(storage, path, number, records, { signal });
  const ordered = records
    .filter(({ attempt }) => counting.has(attempt))
    .sort((a, b) => b.attempt - a.attempt || (a.name < b.name ? 1 : -1));
  const traces = new Map<string, number[]>();
  const checkpoints: Extract<PartialName, { kind: 'checkpoint' }>[] = [];
  for (const record of ordered) {
    if (record.kind === 'checkpoint') checkpoints.push(record);
    else traces.set(record.call, [...(traces.get(record.call) ?? []), record.attempt]);
  }
  return { traces, checkpoints };
}

/** The attempts that have records, from the latest down to one that is done. */
async function attemptsThatCount(
  storage: DataStoreStorage,
  path: TaskPath,
  number: number,
  records: readonly PartialName[],
  options: CallOptions,
): Promise<Set<number>> {
  const attempts = await listAttempts(storage, path, options);
  const recorded = new Set(records.map(({ attempt }) => attempt));
  const oldest = Math.min(...recorded);
  const before = [...attempts.keys()].filter((attempt) => attempt < number && attempt >= oldest);
  const counting = new Set<number>();
  for (const attempt of before.sort((a, b) => b - a).slice(0, MAX_ATTEMPTS)) {
    const files = attempts.get(attempt);
    if (files?.has('done') && (await readDone(storage, path, attempt, options))?.outcome === 'done') break;
    const isGivenUp = files?.has('deleted') || files?.has('purged');
    if (recorded.has(attempt) && !isGivenUp) counting.add(attempt);
  }
  return counting;
}
