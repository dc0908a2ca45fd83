import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import vector from '../../docs/format-vectors/own-values.json' with { type: 'json' };
import { decodeDescription, encodeDescription } from '../../src/format/description.ts';
import { decodeRecord } from '../../src/format/record.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { openFlow, scratchFolder } from '../flow/fixtures.ts';
import { findPython } from './python.ts';
import { bytesOf, inFolder } from './vector-objects.ts';

const { expected } = vector;
const objects = bytesOf(vector.objects);
const text = expected.text.line.repeat(expected.text.times);

describe('own-values.json', () => {
  it.each(expected.pathspecs)(
    '%s is read from a bucket, and from a folder it was synced into',
    async (path) => {
      for (const localReads of [true, false]) {
        const storage = new MemoryStorage('', { localReads });
        for (const [name, bytes] of objects) await storage.create(name, bytes);
        const task = await (await openFlow({ flowName: expected.flow, storage })).getTaskDataStore(path);
        const loaded = await task.loadArtifacts(['text', 'again', 'note', 'gone']);
        expect(loaded).toEqual({ text, again: text, note: expected.note, gone: expected.gone });
        expect(await task.get('weights')).toEqual(Int32Array.from({ length: 100 }, (_, i) => i * i));
        expect(task.info('weights')).toMatchObject({ ...expected.weights, inline: false });
      }
    },
  );

  it('holds descriptions that the code writes, with all objects that their rows name', () => {
    for (const path of expected.pathspecs) {
      const name = `flows/${expected.flow}/${path}/0.metadata.json`;
      const bytes = objects.get(name) as Uint8Array;
      const { table, ...description } = decodeDescription(bytes, name, {});
      const rows = typeof table === 'function' ? table() : { artifacts: [] };
      const { flow, run, step, task, attempt } = decodeRecord(bytes, name);
      const subject = { flow, run, step, task, attempt } as Parameters<
        typeof encodeDescription
      >[0]['subject'];
      expect(Buffer.from(encodeDescription({ ...description, table: rows, subject }))).toEqual(
        Buffer.from(bytes),
      );
      const listed = new Set(description.values.map(({ object }) => object));
      const named = new Set(rows.artifacts.flatMap(({ own }) => (own ? [own.object] : [])));
      expect(listed).toEqual(named);
      for (const { object, bytes: length } of description.values)
        expect(objects.get(`values/${expected.flow}/${path}/0.${object}`)).toHaveLength(length);
    }
  });

  const python = findPython();
  it.skipIf(python === undefined)('is read by docs/format-reader.py, which finds damage', () => {
    const folder = join(scratchFolder(), 'store');
    inFolder(folder, objects);
    const reader = join(import.meta.dirname, '../../docs/format-reader.py');
    const read = (path: string) =>
      spawnSync(python as string, [reader, folder, expected.flow, path], { encoding: 'utf8' });
    for (const path of expected.pathspecs) {
      const { stdout, stderr } = read(path);
      expect(stderr).toBe('');
      expect(JSON.parse(stdout)).toMatchObject({
        artifacts: { text, again: text, note: expected.note, weights: { $: expected.weights.type } },
      });
    }
    const [name] = [...objects.keys()].filter((object) => object.startsWith('values/Vectors/r1/clone/')) as [
      string,
    ];
    const damaged = Buffer.from(objects.get(name) as Uint8Array);
    damaged[60] = (damaged[60] as number) ^ 1;
    writeFileSync(join(folder, name), damaged);
    expect(read('r1/clone/0').stderr).toContain('no copy');
    rmSync(join(folder, name));
    expect(read('r1/clone/0').stderr).toContain('no copy');
  });
});
