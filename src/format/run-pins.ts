import { StowageError } from '../errors.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import { tryCreateOwn } from './create-own.ts';
import { encodeRecord } from './record.ts';
import { readBoolean, readOptional, readRecord, readString, readTime } from './record-fields.ts';
import { type Owner, readOwner, thisOwner } from './session-files.ts';
import { newSessionId, padSequence } from './session-id.ts';

/** The latest word on whether retention may take a run. */
export interface RunPin {
  /** `true`: retention leaves it. */
  pinned: boolean;
  /** ISO 8601, by the clock of whoever said so. */
  at: string;
  owner: Owner;
  /** Why, for people. */
  reason?: string;
}

const MAX_RECORD_BYTES = 64 * 1024;
const MAX_PINS = 99_999_999;
/** Others may pin and unpin at the same time so often. */
const MAX_TRIES = 10;

/** The number of the pin that a file of a run tells, from 0 on; `undefined` for all other files. */
export function parseRunPin(file: string): number | undefined {
  const [, digits] = /^pinned\.(\d{8})\.json$/.exec(file) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

export function runPinName(flow: string, run: string, pin: number): string {
  return `runs/${flow}/${run}/pinned.${padSequence(pin)}.json`;
}

/**
 * Records that retention leaves a run, or may take it again. Nothing is written where that is so already. A LIST, and up to two requests
 * more.
 *
 * @throws StowageError `STORAGE_FAILED` where others say so at the same time again and again
 */
export async function pinRunRecord(
  storage: DataStoreStorage,
  { flow, run }: { flow: string; run: string },
  { pinned, reason }: Pick<RunPin, 'pinned' | 'reason'>,
  { signal }: CallOptions,
): Promise<void> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const latest = await latestPin(storage, flow, run, { signal });
    const standing = latest === undefined ? undefined : await readPin(storage, flow, run, latest, { signal });
    const isSame = standing?.pinned === pinned && standing.reason === reason;
    if (isSame || (!standing && !pinned)) return;
    const pin = (latest ?? -1) + 1;
    if (pin > MAX_PINS) break;
    const session = newSessionId();
    const said = { pinned, at: new Date().toISOString(), owner: thisOwner(), reason };
    const record = encodeRecord({ format: 1, kind: 'run-pin', session, flow, run, pin, ...said });
    const name = runPinName(flow, run, pin);
    if (await tryCreateOwn(storage, name, record, { signal, durability: 'immediate' })) return;
  }
  throw new StowageError(
    'STORAGE_FAILED',
    `Run ${flow}/${run} is pinned and unpinned by others all the time; try again.`,
    { details: { flow, run } },
  );
}

/**
 * Reads the latest word on whether retention may take a run; `undefined` where nobody said anything.
 *
 * @param latest the number of the latest one, where a listing told it; `null` where that showed none. Default: a LIST tells
 * @throws StowageError `RECORD_DAMAGED`, `UNSUPPORTED_FORMAT`
 */
export async function readRunPin(
  storage: DataStoreStorage,
  flow: string,
  run: string,
  { signal }: CallOptions,
  latest?: number | null,
): Promise<RunPin | undefined> {
  const pin = latest === undefined ? await latestPin(storage, flow, run, { signal }) : (latest ?? undefined);
  return pin === undefined ? undefined : readPin(storage, flow, run, pin, { signal });
}

async function latestPin(
  storage: DataStoreStorage,
  flow: string,
  run: string,
  { signal }: CallOptions,
): Promise<number | undefined> {
  const prefix = `runs/${flow}/${run}/`;
  let latest: number | undefined;
  for await (const page of storage.list({ prefix: `${prefix}pinned.`, signal })) {
    for (const { name } of page.objects) latest = parseRunPin(name.slice(prefix.length)) ?? latest;
  }
  return latest;
}

async function readPin(
  storage: DataStoreStorage,
  flow: string,
  run: string,
  pin: number,
  { signal }: CallOptions,
): Promise<RunPin | undefined> {
  const name = runPinName(flow, run, pin);
  const object = await storage.get(name, { signal, maxBytes: MAX_RECORD_BYTES });
  if (!object) return undefined;
  const what = storage.uri(name);
  const record = readRecord(object.body, what, 'run-pin', { flow, run, pin });
  const reason = readOptional(readString, record, 'reason', what);
  return {
    pinned: readBoolean(record, 'pinned', what),
    at: readTime(record, 'at', what),
    owner: readOwner(record, what),
    ...(reason === undefined ? {} : { reason }),
  };
}
