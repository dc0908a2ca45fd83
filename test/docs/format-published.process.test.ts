import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import vector from '../../docs/format-vectors/published.json' with { type: 'json' };
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import {
  decodePublished,
  parsePublishedName,
  publishedRecordName,
} from '../../src/format/published-names.ts';
import { encodeRecord } from '../../src/format/record.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { errorOf, objectNames, openFlow, scratchFolder } from '../flow/fixtures.ts';
import { findPython } from './python.ts';
import { bytesOf, inFolder } from './vector-objects.ts';

const { expected } = vector;
const objects = bytesOf(vector.objects);
const text = expected.second.text.line.repeat(expected.second.text.times);

async function open(): Promise<FlowDataStore> {
  const storage = new MemoryStorage();
  for (const [name, bytes] of objects) await storage.create(name, bytes);
  return openFlow({ flowName: 'Other', storage });
}

describe('published.json', () => {
  it('is read as it says', async () => {
    const flow = await open();
    const latest = await flow.getPublished(expected.name);
    const { artifact, description, attributes, key } = expected.second;
    expect(latest).toMatchObject({ version: expected.latest, artifact, description, attributes, key });
    expect(latest.source).toBe(expected.source);
    expect(await latest.load()).toBe(text);
    const first = await flow.getPublished(expected.name, 1);
    expect(first.artifact).toBe(expected.first.artifact);
    expect(await first.load()).toEqual(expected.first.value);
    await errorOf(flow.getPublished(expected.name, expected.withdrawn), 'PUBLISHED_WITHDRAWN');
  });

  it('has records that are written as they are', () => {
    for (const [name, bytes] of objects) {
      const id = parsePublishedName(name);
      if (!id || id.isMark) continue;
      const { session, publishedAt, owner } = decodePublished(bytes, name, id);
      const fields = { format: 1, kind: 'published-version', session, name: id.name, version: id.version };
      expect(Buffer.from(encodeRecord({ ...fields, publishedAt, owner })).toString()).toBe(
        Buffer.from(bytes).toString(),
      );
    }
  });

  it('is what publishing comes to', async () => {
    const storage = new MemoryStorage('', { localReads: false });
    const flow = await openFlow({ flowName: expected.flow, storage });
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) =>
      task.saveArtifacts({ metrics: expected.first.value, weights: text }),
    );
    const publish = (artifact: string): Promise<unknown> =>
      flow.publish(expected.name, { task: 'r1/fit/0', artifact });
    for (const artifact of ['metrics', 'weights', 'metrics']) await publish(artifact);
    await flow.withdrawPublished(expected.name, 3);
    const withoutSessions = (names: Iterable<string>): string[] =>
      [...names]
        .map((name) =>
          name.replace(/(?<=[/.])[0-7][0-9a-v]{25}(?=[./-])/, '<session>').replace(/at\.\d+/, 'at'),
        )
        .sort();
    expect(withoutSessions(await objectNames(storage))).toEqual(withoutSessions(objects.keys()));
    expect(await objectNames(storage, 'names/')).toEqual(
      [...objects.keys()].filter((name) => name.startsWith('names/')),
    );
  });

  const python = findPython();
  it.skipIf(python === undefined)('is read by docs/format-reader.py', () => {
    const folder = scratchFolder();
    inFolder(folder, objects);
    const reader = join(import.meta.dirname, '../../docs/format-reader.py');
    const read = (name: string): ReturnType<typeof spawnSync> & { stdout: string; stderr: string } =>
      spawnSync(python as string, [reader, folder, name], { encoding: 'utf8' });
    const { stdout, stderr } = read(`names/${expected.name}`);
    expect(stderr).toBe('');
    const { description, attributes, artifact } = expected.second;
    const told = JSON.parse(stdout) as Record<string, unknown>;
    expect(told).toMatchObject({ version: 2, artifact, description, attributes, source: expected.source });
    expect(told.value === text).toBe(true);
    expect(JSON.parse(read(`names/${expected.name}/1`).stdout)).toMatchObject({
      version: 1,
      artifact: expected.first.artifact,
    });
    expect(read(`names/${expected.name}/3`).status).not.toBe(0);
    expect(read(`names/${expected.name}x`).stderr).toContain('there is no such version');
    inFolder(
      folder,
      new Map([[publishedRecordName({ name: expected.name, version: 2 }), Buffer.from('{}')]]),
    );
    expect(read(`names/${expected.name}`).status).not.toBe(0);
  });
});
