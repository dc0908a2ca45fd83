import { expect } from 'vitest';
import { type ReadAttempt, readAttempt } from '../../src/attempts/attempt-reader.ts';
import { listRuns } from '../../src/attempts/run-listing.ts';
import { ContentAddressedStore } from '../../src/content-addressed-store.ts';
import { digestHex } from '../../src/digest/blake3.ts';
import {
  attemptBase,
  attemptSubject,
  type ListedTask,
  listTasks,
  partialBase,
} from '../../src/format/attempt-files.ts';
import { checkpointSubject, decodeCheckpoint } from '../../src/format/checkpoint-record.ts';
import type { TaskPath } from '../../src/format/pathspec.ts';
import { readRunFinished } from '../../src/format/run-ends.ts';
import { readRunCreated } from '../../src/format/run-records.ts';
import { decodeTrace } from '../../src/format/trace-record.ts';
import { listLogs, readLog } from '../../src/logs/log-reader.ts';
import { listCountingPartial } from '../../src/maintenance/collection/partial-marks.ts';
import type { DataStoreStorage, StoredObject } from '../../src/storage/contract.ts';

/** Everything that a store says of its closed attempts, by path; with the digests of all content, which is read. */
export async function readAll(storage: DataStoreStorage): Promise<Record<string, unknown>> {
  const content = new ContentAddressedStore(storage);
  const all: Record<string, unknown> = {};
  for (const { flow, run } of await listRuns(storage, undefined, {})) {
    all[`${flow}/${run}`] = {
      created: await readRunCreated(storage, flow, run, {}),
      finished: await readRunFinished(storage, flow, run, {}),
    };
    for await (const task of listTasks(storage, { flow, run }, {}))
      Object.assign(all, await readOne(content, task));
  }
  return all;
}

async function readOne(
  { storage, reader }: ContentAddressedStore,
  { path, attempts }: ListedTask,
): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {};
  const left: { attempt: number; status: string }[] = [];
  for (const [attempt, files] of attempts) {
    if (!files.has('done')) continue;
    const name = attemptBase(path, attempt);
    if (files.has('deleted')) {
      all[name] = 'deleted';
      continue;
    }
    const rule = { attempt, allowNotDone: true };
    const read = await readAttempt(storage, reader, path, attempts, rule, {});
    const logs: Record<string, string> = {};
    for (const { source, stream, parts } of await listLogs(storage, path, attempt, {})) {
      const pieces: Uint8Array[] = [];
      for await (const piece of readLog(storage, parts, {})) pieces.push(piece);
      logs[`${source}.${stream}`] = Buffer.concat(pieces).toString();
    }
    all[name] = { ...(await said(read, reader)), logs };
    left.push({ attempt, status: read.purged ? 'purged' : read.status });
  }
  const latestDone = Math.max(
    -1,
    ...left.flatMap(({ attempt, status }) => (status === 'done' ? [attempt] : [])),
  );
  for (const { attempt, status } of left) {
    if (attempt < latestDone || !['failed', 'abandoned'].includes(status)) continue;
    all[`${attemptBase(path, attempt)} left`] = await leftBy({ storage, reader }, path, attempt);
  }
  return all;
}

/** The traces and the last checkpoint of an attempt, with all of their content, which is read. */
async function leftBy(
  { storage, reader }: Pick<ContentAddressedStore, 'storage' | 'reader'>,
  path: TaskPath,
  attempt: number,
): Promise<Record<string, unknown>> {
  const left: Record<string, unknown> = {};
  for await (const record of listCountingPartial(storage, {}, `${partialBase(path, attempt)}.`)) {
    const { name } = record;
    const { body } = (await storage.get(name)) as StoredObject;
    const { table } =
      record.kind === 'trace'
        ? decodeTrace(body, name, { ...attemptSubject(path, attempt), call: record.call })
        : decodeCheckpoint(body, name, checkpointSubject(path, attempt, record.sequence));
    const rows: unknown[] = [];
    for (const { content, ...row } of table.artifacts) {
      if (content) expect(digestHex(await reader.load(content))).toBe(row.key);
      rows.push({ ...row, isContent: content !== undefined });
    }
    left[record.kind === 'trace' ? record.call : 'checkpoint'] = rows;
  }
  return left;
}

async function said(
  { status, startedAt, closedAt, done, described, metadata, purged, erased }: ReadAttempt,
  reader: ContentAddressedStore['reader'],
): Promise<Record<string, unknown>> {
  const table = described?.table();
  const artifacts: Record<string, unknown> = {};
  for (const { name, content, inline, ...row } of table?.artifacts ?? []) {
    if (content && !purged) expect(digestHex(await reader.load(content))).toBe(row.key);
    artifacts[name] = { ...row, inline, isContent: content !== undefined };
  }
  const reports: Record<string, unknown> = {};
  for (const { name, title, content } of described?.reports ?? []) {
    const { key, bytes } = content;
    if (!purged) expect(digestHex(await reader.load(content))).toBe(key);
    const isPlain = purged || (await reader.plainOf(content)) !== undefined;
    reports[name] = { title, key, bytes, isPlain };
  }
  const { readFrom } = described ?? {};
  return {
    status,
    startedAt,
    closedAt,
    error: done?.error,
    artifacts,
    reports,
    readFrom,
    metadata,
    purged,
    erased,
  };
}
