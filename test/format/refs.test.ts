import { describe, expect, it } from 'vitest';
import { openEnvelope } from '../../src/codec/envelope.ts';
import { parseCopyName } from '../../src/format/content-names.ts';
import { type ContentRef, HERE } from '../../src/format/content-ref.ts';
import { decodeTable, readTable } from '../../src/format/description.ts';
import { decodeLocator } from '../../src/format/locator.ts';
import { decodeManifest } from '../../src/format/manifest.ts';
import { decodePins } from '../../src/format/open-session.ts';
import { decodeVerifiedRecord } from '../../src/format/record.ts';
import { refsOf } from '../../src/format/refs.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { contentOf, MIB } from '../content/contents.ts';
import { bodyOf, namesOf } from '../content/storages.ts';
import { openFlow, saveTask } from '../flow/fixtures.ts';

/** What a copy of a content keeps alive. */
function refsOfCopy(name: string, body: Uint8Array): ContentRef[] {
  const copy = parseCopyName(name);
  const { header, raw } = openEnvelope(body);
  if (!copy || header.kind === 'blob') return [];
  if (header.kind === 'locator')
    return refsOf({ kind: 'locator', place: HERE, locator: decodeLocator(raw, copy.key, name) });
  return refsOf({ kind: 'manifest', place: HERE, manifest: decodeManifest(raw, copy.key, name) });
}

/** Every object that descriptions lead to, by `refsOf` alone. */
async function reached(storage: DataStoreStorage): Promise<Set<string>> {
  const names = await namesOf(storage);
  const found = new Set<string>();
  const waiting: ContentRef[] = [];
  for (const name of names.filter((each) => each.endsWith('.metadata.json'))) {
    const record = decodeVerifiedRecord(await bodyOf(storage, name), name);
    // A description holds its table, or says where it was moved.
    const { table } = record as { table?: { key: string } };
    const kept = table
      ? refsOf({ kind: 'metadata', table: table as never })
      : refsOf({
          kind: 'artifact-table',
          table: readTable(record, name),
        });
    waiting.push(...kept);
  }
  for (let ref = waiting.pop(); ref; ref = waiting.pop()) {
    const { kind, name } = ref;
    const objects = kind === 'key' ? names.filter((each) => parseCopyName(each)?.key === name) : [name];
    for (const object of objects) {
      if (found.has(object)) continue;
      found.add(object);
      const body = await bodyOf(storage, object);
      if (kind === 'key') waiting.push(...refsOfCopy(object, body));
      if (kind === 'key' && object.startsWith('data/')) {
        const { raw } = openEnvelope(body);
        const isTable = Buffer.from(raw.subarray(0, 60)).includes('"kind":"artifact-table"');
        if (isTable) waiting.push(...refsOf({ kind: 'artifact-table', table: decodeTable(raw, object) }));
      }
    }
  }
  return found;
}

describe('refsOf', () => {
  it('names all that a store keeps, and what was deleted by nobody', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage, maxInlineBytes: 64 });
    const large = contentOf(2 * MIB, 7);
    await saveTask(flow, { small: 1, text: 'x'.repeat(500), large, again: large.subarray(0, MIB) });
    await flow.caStore.saveBlobs([contentOf(1000, 3)]);
    const [report] = await flow.caStore.saveData([{ name: 'report.html', data: contentOf(1000, 4) }]);
    await flow.createTaskDataStore({ runId: 'r1', stepName: 'ref', taskId: '0' }).then(async (task) => {
      await task.saveArtifacts({ nested: 'refers' });
      await task.done();
    });
    expect(report).toBeDefined();
    const content = (await namesOf(storage)).filter((name) => /^(data|manifests|packs|plain)\//.test(name));
    expect(content.map((name) => name.split('/')[0])).toEqual(
      expect.arrayContaining(['data', 'manifests', 'packs', 'plain']),
    );
    expect([...(await reached(storage))].sort()).toEqual(content.sort());
  });

  it('names what an open session pinned', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const value = contentOf(100_000, 5);
    await saveTask(flow, { value });
    const before = await namesOf(storage, 'pins/');
    const task = await flow.createTaskDataStore({ runId: 'r1', stepName: 'again', taskId: '0' });
    await task.saveArtifacts({ value });
    const [name = '', ...more] = (await namesOf(storage, 'pins/')).filter((each) => !before.includes(each));
    expect(more).toEqual([]);
    const entries = decodePins(await bodyOf(storage, name), name, name.split('/')[1] as string);
    const [copy = ''] = await namesOf(storage, 'data/');
    expect(refsOf({ kind: 'pins', entries })).toEqual([
      { place: HERE, kind: 'key', name: parseCopyName(copy)?.key },
    ]);
    await task.done();
  });
});
