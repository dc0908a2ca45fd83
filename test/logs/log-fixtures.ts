import { join } from 'node:path';
import { expect } from 'vitest';
import type { LogChoice } from '../../src/format/log-names.ts';
import { followLogs } from '../../src/logs/log-following.ts';
import { listLogs, readLog } from '../../src/logs/log-reader.ts';
import { LogWriter } from '../../src/logs/log-writer.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { LocalStorage } from '../../src/storage/local.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { objectNames, scratchFolder } from '../flow/fixtures.ts';

export const path = { flow: 'Test', run: 'r1', step: 'fit', task: '0' };
/** What the names of the parts begin with. */
export const base = 'logs/Test/r1/fit/0/0.';
/** What is left of a log that was scrubbed. */
export const NOTE = /\[scrubbed \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\]\n/g;

export const STORAGES: [string, () => Promise<DataStoreStorage>][] = [
  ['memory', async () => new MemoryStorage()],
  ['local', () => LocalStorage.open(join(scratchFolder(), 'store'), { fsync: false })],
];

export function writerOn(storage: DataStoreStorage): LogWriter {
  return new LogWriter(storage, path, 0);
}

/** A log as a reader finds it; `undefined` where there is none. */
export async function bytesOf(
  storage: DataStoreStorage,
  stream = 'stdout',
  source = 'task',
): Promise<Buffer | undefined> {
  const [log] = await listLogs(storage, path, 0, {}, { source, stream });
  if (!log) return undefined;
  const pieces: Uint8Array[] = [];
  for await (const piece of readLog(storage, log.parts, {})) pieces.push(piece);
  return Buffer.concat(pieces);
}

export async function textOf(
  storage: DataStoreStorage,
  stream?: string,
  source?: string,
): Promise<string | undefined> {
  return (await bytesOf(storage, stream, source))?.toString();
}

/** Like `toEqual`, which takes seconds to compare long bytes element by element. */
export function expectBytes(actual: Uint8Array | undefined, expected: Uint8Array): void {
  expect(actual?.length).toBe(expected.length);
  expect(Buffer.compare(actual ?? new Uint8Array(0), expected)).toBe(0);
}

/** The names of all parts, without what they have in common. */
export async function partsIn(storage: DataStoreStorage): Promise<string[]> {
  return (await objectNames(storage, base)).map((name) => name.slice(base.length));
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Follows logs until `over` says so, and returns what it was given, by log. */
export async function follow(
  storage: DataStoreStorage,
  over: () => boolean,
  choice: LogChoice & { from?: 'start' | 'end' } = {},
): Promise<Map<string, string[]>> {
  const given = new Map<string, string[]>();
  const options = { pollMs: 0 };
  for await (const { source, stream, bytes } of followLogs(
    storage,
    path,
    0,
    choice,
    async () => over(),
    options,
  )) {
    const id = `${source}.${stream}`;
    given.set(id, [...(given.get(id) ?? []), Buffer.from(bytes).toString()]);
  }
  return given;
}
