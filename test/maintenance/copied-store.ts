import { expect } from 'vitest';
import { type ReadAttempt, readAttempt } from '../../src/attempts/attempt-reader.ts';
import { listRuns } from '../../src/attempts/run-listing.ts';
import { ContentAddressedStore } from '../../src/content-addressed-store.ts';
import { digestHex } from '../../src/digest/blake3.ts';
import { attemptBase, type ListedTask, listTasks } from '../../src/format/attempt-files.ts';
import { readRunCreated, readRunFinished } from '../../src/format/run-records.ts';
import { listLogs, readLog } from '../../src/logs/log-reader.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';

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
  }
  return all;
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
