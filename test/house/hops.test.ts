import { beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import type { FileRef } from '../../src/references/file-ref.ts';
import type { CreateOptions, GetOptions, StoredObject } from '../../src/storage/contract.ts';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { noise } from '../flow/fixtures.ts';
import { type Frame, Ways } from './ways.ts';

/**
 * How many of our own functions a call passes through, from the one that the user calls to the storage's. Lower a bound when the way
 * has become shorter; to raise one, have a reason.
 */
const BOUNDS = [
  ['saveArtifacts, to a small content', 14],
  ['saveArtifacts, to a pack', 17],
  ['saveArtifacts, to a manifest', 13],
  ['done, to DONE', 5],
  ['loadArtifacts, to a small content', 10],
  ['loadArtifacts, to a pack', 14],
  ['a cached task that runs, to its content', 29],
  ['a cached task that runs, to its entry', 14],
  ['a hit, to its entry', 13],
  ['a hit, to its content', 18],
  ['a traced call, to its record', 13],
  ['a traced call that is replayed, to its record', 7],
  ['a checkpoint, to its record', 8],
  ['files.fromData, to its content', 19],
  ['FileRef.bytes, to its content', 7],
  ['a FileRef of a value, to its content', 7],
] as const;

const ways = new Ways();
const noted = new Map<string, Frame[]>();

/** Notes the way to each object that is created or read. */
class TracedStorage extends StorageDecorator {
  readonly #calls = new Map<string, Frame[]>();

  override create(
    name: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options: CreateOptions = {},
  ): Promise<boolean> {
    this.#calls.set(name, ways.here());
    return this.inner.create(name, body, options);
  }

  override get(name: string, options: GetOptions = {}): Promise<StoredObject | undefined> {
    this.#calls.set(name, ways.here());
    return this.inner.get(name, options);
  }

  /** Notes what `work` does: the longest way to an object of which the name matches. */
  async trace(work: () => Promise<unknown>, wanted: Readonly<Record<string, RegExp>>): Promise<void> {
    this.#calls.clear();
    await ways.note(work);
    for (const [what, pattern] of Object.entries(wanted)) {
      const found = [...this.#calls].filter(([name]) => pattern.test(name)).map(([, way]) => way);
      const longest = found.reduce((longer, way) => (way.length > longer.length ? way : longer), []);
      noted.set(what, longest);
    }
  }
}

describe('the way', () => {
  beforeAll(async () => {
    const storage = new TracedStorage(new MemoryStorage());
    const flow = await FlowDataStore.open({ flowName: 'Hops', storage });
    const task = await flow.createTaskDataStore({ runId: 'r', stepName: 's', taskId: 't' });
    const values = { small: noise(100_000, 1), large: noise(300_000, 2) };
    await storage.trace(() => task.saveArtifacts(values), {
      'saveArtifacts, to a small content': /^data\//,
      'saveArtifacts, to a pack': /^packs\//,
      'saveArtifacts, to a manifest': /^manifests\//,
    });
    await storage.trace(() => task.done(), { 'done, to DONE': /DONE$/ });
    const closed = await flow.getTaskDataStore('r/s/t');
    await storage.trace(() => closed.loadArtifacts(), {
      'loadArtifacts, to a small content': /^data\//,
      'loadArtifacts, to a pack': /^packs\//,
    });
    const cached = flow.cachedTask({
      name: 'noise',
      version: '1',
      run: (seed: number) => noise(100_000, seed),
    });
    await storage.trace(() => cached(3), {
      'a cached task that runs, to its content': /^data\//,
      'a cached task that runs, to its entry': /^cache\/.*\.json$/,
    });
    await storage.trace(() => cached(3), {
      'a hit, to its entry': /^cache\/.*\.json$/,
      'a hit, to its content': /^data\//,
    });
    const work = { runId: 'r', stepName: 's', taskId: 'traced' };
    const first = await flow.createTaskDataStore(work);
    await storage.trace(() => first.trace('noise', () => 'small')(), {
      'a traced call, to its record': /\.trace\./,
    });
    await storage.trace(() => first.checkpoint.save('state'), {
      'a checkpoint, to its record': /\.checkpoint\./,
    });
    await first.fail(new Error('again'));
    const retry = await flow.createTaskDataStore(work);
    await storage.trace(() => retry.trace('noise', () => 'small')(), {
      'a traced call that is replayed, to its record': /\.trace\./,
    });
    let file: FileRef | undefined;
    const save = async (): Promise<unknown> => {
      file = await retry.files.fromData('x', noise(100_000, 4));
      return file;
    };
    await storage.trace(save, { 'files.fromData, to its content': /^data\// });
    await storage.trace(() => file?.bytes() ?? Promise.resolve(), {
      'FileRef.bytes, to its content': /^data\//,
    });
    await retry.saveArtifacts({ file });
    await retry.done();
    const loaded = (await (await flow.getTaskDataStore('r/s/traced')).get('file')) as FileRef;
    await storage.trace(() => loaded.text(), { 'a FileRef of a value, to its content': /^data\// });
    await flow.close();
  });

  it.each(BOUNDS)('of %s takes at most %i hops', (what, bound) => {
    const way = noted.get(what) ?? [];
    expect(way.length, 'was not seen').toBeGreaterThan(0);
    expect(way.length, way.join('\n')).toBeLessThanOrEqual(bound);
  });

  it('is told as the calls go', () => {
    const way = noted.get('saveArtifacts, to a small content') ?? [];
    expect(way.at(-1)).toBe('flow/open-task-data-store.ts:saveArtifacts');
    expect(new Set(way).size).toBeGreaterThan(way.length - 4);
  });
});
