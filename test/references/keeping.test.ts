import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ContentAddressedStore } from '../../src/content-addressed-store.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { collectGarbage } from '../../src/maintenance/collection/collect-garbage.ts';
import { copyStore } from '../../src/maintenance/copy-store.ts';
import { FileRef } from '../../src/references/file-ref.ts';
import { fileRef } from '../../src/references/schemas.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { abandonedDone } from '../content/storages.ts';
import { errorOf, noise, objectNames, openFlow } from '../flow/fixtures.ts';
import { markClosed } from '../maintenance/collection/histories.ts';

const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };
const isContent = (name: string): boolean => /^(data|manifests|packs|plain)\//.test(name);
const contentIn = async (storage: DataStoreStorage): Promise<string[]> =>
  (await objectNames(storage)).filter(isContent);

/** Files of each form, within a value. */
async function filesOf(files: FlowDataStore['files']): Promise<Map<string, FileRef>> {
  return new Map([
    ['small', await files.fromData('small', noise(1_000, 1))],
    ['large', await files.fromData('large', noise(700_000, 2))],
    ['plain', await files.fromData('plain', noise(2_000, 3), { plain: true })],
  ]);
}

async function expectFiles(flow: FlowDataStore, pathspec: string): Promise<Map<string, FileRef>> {
  const { nested } = await (await flow.getTaskDataStore(pathspec)).loadArtifacts<{
    nested: { files: Map<string, FileRef> };
  }>(['nested']);
  const { files } = nested;
  expect([...files.keys()]).toEqual(['small', 'large', 'plain']);
  for (const [index, [, file]] of [...files].entries())
    expect(Buffer.from(await file.bytes())).toEqual(
      Buffer.from(noise([1_000, 700_000, 2_000][index] as number, index + 1)),
    );
  return files;
}

/** Collects as another process does. */
async function collect(storage: DataStoreStorage): Promise<void> {
  const content = new ContentAddressedStore(storage);
  await collectGarbage(content);
  await content.close();
}

const STORAGES: [string, () => MemoryStorage][] = [
  ['where looking is free', () => new MemoryStorage()],
  ['where looking costs requests', () => new MemoryStorage('', { localReads: false })],
];

describe.each(STORAGES)('files in a value, %s', (_where, newStorage) => {
  const saved = async (): Promise<{ storage: MemoryStorage; flow: FlowDataStore }> => {
    const storage = newStorage();
    const flow = await openFlow({ storage });
    await flow.task(spec, async (task) =>
      task.saveArtifacts({ nested: { files: await filesOf(task.files) } }),
    );
    return { storage, flow };
  };

  it('live as long as the artifact that refers to them, and go with it', async () => {
    const { storage, flow } = await saved();
    await collect(storage);
    await expectFiles(flow, 'r1/fit/0');
    await markClosed(storage, '0', 'DELETED');
    await collect(storage);
    expect(await contentIn(storage)).toEqual([]);
  });

  it('that no artifact refers to go once the task is done', async () => {
    const storage = newStorage();
    const flow = await openFlow({ storage });
    const task = await flow.createTaskDataStore(spec);
    await filesOf(task.files);
    await collect(storage);
    expect(await contentIn(storage)).not.toEqual([]);
    await task.done();
    await collect(storage);
    expect(await contentIn(storage)).toEqual([]);
  });

  it('that were saved outside a task live until their session is released', async () => {
    const storage = newStorage();
    const flow = await openFlow({ storage });
    const files = [...(await filesOf(flow.files)).values()];
    await collect(storage);
    for (const file of files) expect(await file.exists()).toBe(true);
    for (const { session } of files) await flow.caStore.release(session as string);
    await collect(storage);
    expect(await contentIn(storage)).toEqual([]);
    for (const file of files) expect(await file.exists()).toBe(false);
  });

  it('are passed on without copying anything, and live on with the later task', async () => {
    const { storage, flow } = await saved();
    const before = await contentIn(storage);
    const origin = await flow.getTaskDataStore('r1/fit/0');
    await flow.task({ ...spec, taskId: '1' }, async (task) => {
      await task.saveArtifacts({ nested: { files: await expectFiles(flow, 'r1/fit/0') } });
    });
    await flow.task({ ...spec, taskId: '2' }, (task) => task.clone(origin));
    await flow.task({ ...spec, taskId: '3' }, (task) => task.passdownPartial(origin, ['nested']));
    const tasks = ['0', '1', '2', '3'].map((id) => `r1/fit/${id}`);
    await flow.task({ ...spec, taskId: '4' }, async (task) =>
      task.mergeArtifacts(await flow.getTaskDataStores({ pathspecs: tasks })),
    );
    expect(await contentIn(storage)).toEqual(before);
    for (const id of ['0', '1', '2', '3']) await markClosed(storage, id, 'DELETED');
    await collect(storage);
    await expectFiles(flow, 'r1/fit/4');
    expect(await contentIn(storage)).toEqual(before);
  });

  it('that are gone are no longer passed on', async () => {
    const { storage, flow } = await saved();
    const files = await expectFiles(flow, 'r1/fit/0');
    const large = files.get('large') as FileRef;
    await storage.delete(await objectNames(storage, 'packs/'));
    const other = await openFlow({ storage });
    await other.task({ ...spec, taskId: '1' }, async (task) => {
      const error = await errorOf(task.saveArtifacts({ large }), 'CONTENT_NOT_FOUND');
      expect(error.message).toContain('Artifact large');
      await task.saveArtifacts({ large: null });
    });
  });

  it('are copied to another store, from where they can be read alone, plain ones as such', async () => {
    const { storage } = await saved();
    const target = newStorage();
    await copyStore({ from: storage, to: target });
    await storage.delete(await contentIn(storage));
    await collect(target);
    const files = await expectFiles(await openFlow({ storage: target }), 'r1/fit/0');
    expect(await files.get('plain')?.address()).toContain('/plain');
    expect(await files.get('large')?.address()).toBeUndefined();
    expect((await copyStore({ from: storage, to: target })).attempts).toMatchObject({
      copied: 0,
      present: 1,
    });
  });

  it('are transferred with their artifact to another store, also to another place of it', async () => {
    for (const rawDataPath of [undefined, 'memory:files-transferred']) {
      const { flow } = await saved();
      const target = await openFlow({ storage: newStorage(), ...(rawDataPath ? { rawDataPath } : {}) });
      const origin = await flow.getTaskDataStore('r1/fit/0');
      await target.task(spec, (task) => task.transferArtifacts(origin));
      await expectFiles(target, 'r1/fit/0');
    }
  });

  it('at another place of the store are found there, and copied from there', async () => {
    const storage = newStorage();
    const flow = await openFlow({ storage, rawDataPath: 'memory:files-elsewhere' });
    await flow.task(spec, async (task) =>
      task.saveArtifacts({ nested: { files: await filesOf(task.files) } }),
    );
    expect(await contentIn(storage)).toEqual([]);
    await expectFiles(await openFlow({ storage }), 'r1/fit/0');
    const target = newStorage();
    await copyStore({ from: storage, to: target });
    await expectFiles(await openFlow({ storage: target }), 'r1/fit/0');
    const again = await copyStore({ from: storage, to: target });
    expect(again.problems).toEqual([]);
  });

  it('are found again after a fence, or the task says that they are lost', async () => {
    for (const isLost of [false, true]) {
      const storage = newStorage();
      // Elsewhere a process relies on what it wrote, and need not look.
      if (isLost && !storage.capabilities.localReads) continue;
      const flow = await openFlow({ storage });
      const task = await flow.createTaskDataStore(spec);
      await task.saveArtifacts({ nested: { files: await filesOf(task.files) } });
      const base = 'flows/Test/r1/fit/0/0';
      const record = (await storage.get(`${base}.attempt.json`))?.body as Uint8Array;
      await storage.create(`${base}.DONE`, abandonedDone(record));
      if (isLost) await storage.delete(await contentIn(storage));
      if (isLost) await errorOf(task.done(), 'CONTENT_LOST');
      else {
        await task.done();
        expect(task.attempt).toBe(1);
        await expectFiles(flow, 'r1/fit/0');
      }
    }
  });

  it('of another store are a typed error, unless this one has their content', async () => {
    const { flow } = await saved();
    const other = await openFlow({ storage: newStorage() });
    const file = (await expectFiles(flow, 'r1/fit/0')).get('large') as FileRef;
    await other.task(spec, async (task) => {
      await errorOf(task.saveArtifacts({ file }), 'CONTENT_NOT_FOUND');
      const copied = await task.files.fromData(file.name, file.open());
      await task.saveArtifacts({ file, copied });
    });
    const loaded = await (await other.getTaskDataStore('r1/fit/0')).loadArtifacts<Record<string, FileRef>>();
    await flow.storage.delete(await contentIn(flow.storage));
    for (const name of ['file', 'copied']) expect((await loaded[name]?.bytes())?.length).toBe(700_000);
  });
});

describe('files of cached tasks', () => {
  const rows = (flow: FlowDataStore, runs: string[]) =>
    flow.cachedTask({
      name: 'rows',
      version: '1',
      input: fileRef(),
      output: fileRef(),
      run: async (file: FileRef, ctx) => {
        runs.push(file.name);
        writeFileSync(join(ctx.workDir, 'rows.json'), JSON.stringify((await file.text()).split('\n')));
        return ctx.files.fromLocal(join(ctx.workDir, 'rows.json'));
      },
    });

  it('count by content in inputs, and a result that comes out equal lets later tasks hit', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const runs: string[] = [];
    const task = rows(flow, runs);
    const count = flow.cachedTask({
      name: 'count',
      version: '1',
      run: async (input: { of: (FileRef | number)[] }) => {
        runs.push('count');
        return ((await (input.of[1] as FileRef).json()) as string[]).length;
      },
    });
    const a = await task(await flow.files.fromData('a', '1\n2\n3'));
    const again = await task.detailed(await flow.files.fromData('b', '1\n2\n3'));
    expect(again.hit).toBe(true);
    expect(await again.value.text()).toBe('["1","2","3"]');
    expect(await count({ of: [1, a] })).toBe(3);
    // Another task makes the same of other bytes.
    const made = flow.cachedTask({
      name: 'made',
      version: '1',
      run: async (_input: number, ctx) => ctx.files.fromData('other', '["1","2","3"]'),
    });
    expect(await count.detailed({ of: [1, await made(5)] })).toMatchObject({ hit: true, value: 3 });
    expect(await count.detailed({ of: [2, a] })).toMatchObject({ hit: false });
    expect(runs).toEqual(['a', 'count', 'count']);
  });

  it('count by their digest within a union, be it that of their bytes or one that was given', async () => {
    const flow = await openFlow();
    let runs = 0;
    const source = z.union([
      z.object({ kind: z.literal('text'), text: z.string() }),
      z.object({ kind: z.literal('file'), at: z.object({ file: z.instanceof(FileRef) }) }),
    ]);
    const task = flow.cachedTask({
      name: 'union',
      version: '1',
      interfaceVersion: '1',
      input: z.object({ sources: z.array(source) }),
      run: () => ++runs,
    });
    const call = async (file: FileRef): Promise<number> =>
      task({
        sources: [
          { kind: 'text', text: 'x' },
          { kind: 'file', at: { file } },
        ],
      });
    expect(await call(await flow.files.fromData('a', '1'))).toBe(1);
    expect(await call(await flow.files.fromData('b', '1'))).toBe(1);
    expect(await call(await flow.files.fromData('a', '2'))).toBe(2);
    expect(await call(await flow.files.fromData('a', '3', { digest: 'given' }))).toBe(3);
    expect(await call(await flow.files.fromData('b', '4', { digest: 'given' }))).toBe(3);
    expect(await call(await flow.files.fromData('b', '4', { digest: 'another' }))).toBe(4);
  });

  it('whose content is gone are no hit', async () => {
    const storage = new MemoryStorage();
    const runs: string[] = [];
    const flow = await openFlow({ storage });
    const input = await flow.files.fromData('a', '1');
    const { value } = await rows(flow, runs).detailed(input);
    const copies = (await contentIn(storage)).filter((name) => name.includes(value.digest));
    await storage.delete(copies);
    const again = await rows(await openFlow({ storage }), runs).detailed(input);
    expect(again).toMatchObject({ hit: false, missReason: 'purged' });
    expect(await again.value.text()).toBe('["1"]');
  });

  it('that differ by a digest that was given, at any depth, are told apart by it alone', async () => {
    const flow = await openFlow();
    let runs = 0;
    const task = flow.cachedTask({
      name: 'nested',
      version: '1',
      run: (_input: { files: unknown }) => {
        runs += 1;
        return runs;
      },
    });
    const file = (text: string, digest: string): Promise<FileRef> =>
      flow.files.fromData('x', text, { digest });
    await task({ files: new Set([{ one: await file('a', '1') }]) });
    expect(await task({ files: new Set([{ one: await file('b', '1') }]) })).toBe(1);
    expect(await task({ files: new Set([{ one: await file('a', '2') }]) })).toBe(2);
  });

  it('have a schema, which refuses anything else, and counts in the interface', async () => {
    const flow = await openFlow();
    const error = await errorOf(rows(flow, [])({ name: 'x' } as never), 'INPUT_INVALID');
    expect(error.message).toContain('must be a FileRef');
    await flow.task(spec, async (task) => task.saveArtifacts({ file: await task.files.fromData('x', 'a') }));
    const reader = await flow.getTaskDataStore('r1/fit/0');
    expect(await (await reader.loadTyped({ file: fileRef() })).file.text()).toBe('a');
  });

  it('of another store are read, and the task runs and is stored without its input', async () => {
    const [flow, other] = [await openFlow(), await openFlow()];
    const runs: string[] = [];
    const input = await other.files.fromData('far', '1');
    const result = await rows(flow, runs).detailed(input);
    expect(result).toMatchObject({ hit: false, stored: true });
    expect(await rows(flow, runs).detailed(input)).toMatchObject({ hit: true });
  });

  it('are refused where no attempt is recorded, which would keep them', async () => {
    const flow = await openFlow();
    const input = await flow.files.fromData('a', '1');
    const error = await errorOf(rows(flow, []).detailed(input, { mode: 'readonly' }), 'INVALID_ARGUMENT');
    expect(error.message).toContain('readonly');
  });
});

describe('requests', () => {
  it('a file that is passed on takes no request for its content but the look at it', async () => {
    const storage = new CountStorage(new MemoryStorage('', { localReads: false }));
    const flow = await openFlow({ storage });
    await flow.task(spec, async (task) =>
      task.saveArtifacts({ file: await task.files.fromData('x', noise(700_000)) }),
    );
    const { file } = await (await flow.getTaskDataStore('r1/fit/0')).loadArtifacts<{ file: FileRef }>();
    storage.reset();
    await flow.task({ ...spec, taskId: '1' }, (task) => task.saveArtifacts({ file }));
    // attempt.json, pins, metadata.json, DONE; the collector's log.
    expect(storage.snapshot().create.calls).toBe(4);
    expect(storage.snapshot().get.calls).toBeLessThanOrEqual(1);
  });
});
