import { describe, expect, it, test } from 'vitest';
import { ContentReader } from '../../src/content/reading/content-reader.ts';
import { CollectionLog } from '../../src/content/writing/collection-log.ts';
import { digestHex } from '../../src/digest/blake3.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { type AttemptFile, listAttempts } from '../../src/format/attempt-files.ts';
import { isPackName, isPlainName, parseCopyName } from '../../src/format/content-names.ts';
import {
  decodeDescription,
  decodeTable,
  encodeDescription,
  encodeTable,
} from '../../src/format/description.ts';
import { decodeRecord, encodeRecord } from '../../src/format/record.ts';
import type { RecordSubject } from '../../src/format/record-fields.ts';
import { decodeAttempt, decodeDone, encodeAttempt, encodeDone } from '../../src/format/session-files.ts';
import { isSessionId } from '../../src/format/session-id.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { validateObjectName } from '../../src/storage/names.ts';
import { errorOf, openFlow, scratchFolder } from '../flow/fixtures.ts';
import { expectedInStore as expected, storeInFolder, storeInMemory, storeObjects } from './store-vector.ts';
import { fromTagged, type Tagged } from './tagged-values.ts';

async function open(): Promise<FlowDataStore> {
  return openFlow({ flowName: expected.flow, storage: await storeInMemory() });
}

function untagged(artifacts: object): Record<string, unknown> {
  return fromTagged(artifacts as Tagged) as Record<string, unknown>;
}

describe('what a reader finds in store.json', () => {
  it('is the attempt that is done', async () => {
    const flow = await open();
    const { pathspec, attempt, artifacts, large, metadata, logs } = expected.done;
    const task = await flow.getTaskDataStore(pathspec);
    expect(task.attempt).toBe(attempt);
    expect(await task.loadMetadata()).toEqual(metadata);
    const loaded = await task.loadArtifacts();
    expect(loaded).toMatchObject(untagged(artifacts));
    expect(Object.keys(loaded).sort()).toEqual([...Object.keys(artifacts), ...Object.keys(large)].sort());
    for (const [name, { type, bytes, key }] of Object.entries(large)) {
      expect(task.info(name)).toMatchObject({ type, bytes, key });
      const { buffer, byteOffset, byteLength } = loaded[name] as Uint8Array;
      expect(digestHex(new Uint8Array(buffer, byteOffset, byteLength))).toBe(key);
    }
    const weights = loaded.weights as Int32Array;
    expect([...weights.subarray(0, 3)]).toEqual(large.weights.first);
    expect(weights.at(-1)).toBe(large.weights.last);
    expect(await task.loadLogs('task', 'stdout')).toBe(logs['task.stdout']);
    expect(await task.loadLogs('task', 'stderr')).toBe(logs['task.stderr']);
  });

  it('are those that failed, are open, or were done before', async () => {
    const flow = await open();
    const failed = await flow.getTaskDataStore(expected.failed.pathspec, { allowNotDone: true });
    expect(failed.error).toMatchObject({ message: expected.failed.error, recoverable: true });
    expect(await failed.loadArtifacts()).toEqual(expected.failed.artifacts);
    const opened = await flow.getTaskDataStore(expected.open.pathspec, { allowNotDone: true });
    expect(opened.status).toBe('open');
    expect(await opened.loadMetadata()).toEqual(expected.open.metadata);
    await errorOf(flow.getTaskDataStore(expected.latestDone.pathspec), 'ATTEMPT_NOT_DONE');
    const done = await flow.getTaskDataStore(expected.latestDone.pathspec, { attempt: 'latestDone' });
    expect(done.attempt).toBe(expected.latestDone.attempt);
    expect(done.readFrom).toEqual(expected.latestDone.readFrom);
    expect(await done.loadArtifacts()).toEqual(expected.latestDone.artifacts);
  });

  it('are marks', async () => {
    const flow = await open();
    for (const [task, code] of Object.entries(expected.old)) {
      const reading = async () =>
        (await flow.getTaskDataStore(`${expected.run}/old/${task}`)).loadArtifacts(['large']);
      expect((await errorOf(reading)).code).toBe(code);
    }
    for (const task of ['purged', 'erased']) {
      expect(await (await flow.getTaskDataStore(`${expected.run}/old/${task}`)).get('small')).toBe(7);
    }
  });

  it('is a table that was moved, chunk groups in a pack, a plain object, and content outside tasks', async () => {
    const flow = await open();
    const hand = await flow.getTaskDataStore(expected.hand.pathspec);
    expect(await hand.loadArtifacts()).toEqual(untagged(expected.hand.artifacts));
    for (const { key, text } of [expected.blob, expected.plain]) {
      for await (const { blob } of flow.caStore.loadBlobs([key])) {
        expect(Buffer.from(blob).toString()).toBe(text);
      }
    }
  });

  it("is the collector's log", async () => {
    const storage = await storeInMemory();
    const state = await new CollectionLog(storage).newest();
    const lists = [...storeObjects].filter(([name]) => name.startsWith('gc/lists/'));
    const [entry] = decodeRecord(lists[0]?.[1] as Uint8Array, 'a list').entries as { name: string }[];
    expect(state).toMatchObject({ version: 1, idle: true });
    expect(state.isCondemned(entry?.name as string, '')).toBe(true);
    expect(state.isCondemned(`packs/${lists[0]?.[0].slice(9, 35)}/00000000`, '')).toBe(false);
  });

  it.each(['exact', 'fold'] as const)('is the same in a folder, named %s', async (names) => {
    const folder = `${scratchFolder()}/store`;
    storeInFolder(folder, names);
    const flow = await openFlow({ flowName: expected.flow, storage: folder });
    const task = await flow.getTaskDataStore(expected.done.pathspec);
    expect(await task.get('metrics')).toEqual(expected.done.artifacts.metrics);
    expect((await flow.latestRun())?.runId).toBe(expected.run);
  });
});

describe('the objects of store.json', () => {
  const records = [...storeObjects].filter(
    ([name, bytes]) =>
      /^(flows|loose|runs|partial|pins|beats|gc|hints)\/|^stowage/.test(name) && bytes.length > 0,
  );
  /** What a record is of. */
  const subjectOf = (record: Record<string, unknown>): RecordSubject =>
    Object.fromEntries(
      ['flow', 'run', 'step', 'task', 'attempt', 'loose']
        .filter((member) => member in record)
        .map((member) => [member, record[member] as string]),
    );
  const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

  test.each([...storeObjects.keys()])('%s is the name of an object', (name) => {
    expect(validateObjectName(name)).toBe(name);
    if (/^(data|manifests)\//.test(name))
      expect(parseCopyName(name)?.bytes).toBe(storeObjects.get(name)?.length);
    if (name.startsWith('packs/')) expect(isPackName(name)).toBe(true);
    if (name.startsWith('plain/')) expect(isPlainName(name)).toBe(true);
  });

  test.each(records)('%s is what the code writes', (name, bytes) => {
    const record = decodeRecord(bytes, name);
    expect(textOf(encodeRecord(record))).toBe(textOf(bytes));
    if (name.endsWith('.attempt.json')) {
      const decoded = decodeAttempt(bytes, name, subjectOf(record));
      expect(isSessionId(decoded.session)).toBe(true);
      expect(textOf(encodeAttempt(decoded, subjectOf(record)))).toBe(textOf(bytes));
    }
    if (name.endsWith('.DONE')) {
      const decoded = decodeDone(bytes, name, subjectOf(record));
      expect(textOf(encodeDone(decoded, subjectOf(record)))).toBe(textOf(bytes));
    }
    if (name.endsWith('.metadata.json')) {
      const { table, ...decoded } = decodeDescription(bytes, name, subjectOf(record));
      const rows = typeof table === 'function' ? table() : table;
      const encoded = encodeDescription({ ...decoded, table: rows, subject: subjectOf(record) });
      expect(decodeRecord(encoded, name)).toEqual(record);
    }
  });

  test('a moved table is what the code writes', async () => {
    const storage = await storeInMemory();
    const name = `flows/${expected.flow}/${expected.hand.pathspec}/0.metadata.json`;
    const { table } = decodeDescription(storeObjects.get(name) as Uint8Array, name, {});
    if (typeof table === 'function') throw new Error('The table was not moved.');
    const bytes = await new ContentReader(storage).load(table);
    expect(decodeRecord(encodeTable(decodeTable(bytes, name)), name)).toEqual(decodeRecord(bytes, name));
  });

  test('attempts have the files that the page tells', async () => {
    const path = { flow: expected.flow, run: expected.run, step: 'fit', task: '0' };
    const attempts = await listAttempts(await storeInMemory(), path, {});
    const files: AttemptFile[] = ['attempt', 'metadata', 'done'];
    expect(attempts).toEqual(new Map([0, 1].map((number) => [number, new Set(files)])));
  });
});

describe('the same work, done again', () => {
  /** What stays the same when a store is written again: ids, times and compressed lengths do not. */
  const shapeOf = (text: string): string =>
    text
      .replaceAll(/"(digest|metadataDigest)":"[0-9a-f]{64}"/g, '"$1":"<digest>"')
      .replaceAll(/(?<=^|[./"])[0-7][0-9a-v]{25}(?=[-/."]|$)/g, '<session>')
      .replaceAll(/(-\d{8})\.\d+/g, '$1.<bytes>')
      .replace(/(?<=\/at\.)\d+$/, '<milliseconds>')
      .replaceAll(/"\w+At":"[^"]+"/g, '<time>')
      .replaceAll(/"owner":\{[^}]*\}/g, '<owner>')
      .replaceAll(/"storedBytes":\d+/g, '<stored>');

  it('gives objects of the same names and the same shape', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ flowName: expected.flow, storage });
    const weights = new Int32Array(75_000).map((_, index) => index);
    await flow.createRun({ runId: expected.run, tags: ['demo'], parameters: { rate: 0.1 } });
    const open = (stepName: string, attempt: number) =>
      flow.createTaskDataStore({ runId: expected.run, stepName, taskId: '0', attempt });
    const fit = await open('fit', 1);
    await fit.saveMetadata({ started: true });
    const { metrics, when, note } = untagged(expected.done.artifacts);
    await fit.saveArtifacts({ metrics, when, weights, note });
    const raw = Buffer.from('the quick brown fox jumps over the lazy dog\n'.repeat(500));
    await fit.saveArtifacts({ again: weights, raw });
    await fit.saveLogs('task', { stdout: 'line 1\n' });
    await fit.saveLogs('task', { stdout: 'line 2\n', stderr: 'warning\n' });
    await fit.saveMetadata({ duration: 120.5 });
    await fit.done();
    const score = await open('score', 0);
    score.recordRead(await flow.getTaskDataStore(`${expected.run}/fit/0`));
    await score.saveArtifacts({ score: 0.5 });
    await score.done();
    const again = new Map<string, string>();
    for await (const page of storage.list({ prefix: '' })) {
      for (const { name } of page.objects) {
        const body = (await storage.get(name))?.body as Uint8Array;
        again.set(
          shapeOf(name),
          /^(data|manifests|packs)/.test(name) ? '' : shapeOf(Buffer.from(body).toString()),
        );
      }
    }
    const before = new Map<string, string[]>();
    for (const [name, bytes] of storeObjects) {
      const shape = /^(data|manifests|packs)/.test(name) ? '' : shapeOf(Buffer.from(bytes).toString());
      before.set(shapeOf(name), [...(before.get(shapeOf(name)) ?? []), shape]);
    }
    for (const [name, shape] of again) expect(before.get(name), name).toContain(shape);
    expect(again.size).toBeGreaterThan(15);
  });
});
