import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NamedArtifact } from '../../src/attempts/artifact-input.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { propertyRuns, test } from '../property.ts';
import { errorOf, expectSame, noise, objectNames, openFlow, readIncomplete } from './fixtures.ts';

const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };

async function* oneByOne<T>(items: Iterable<T>): AsyncGenerator<T> {
  for (const item of items) yield item;
}

function* inTurn<T>(items: Iterable<T>): Generator<T> {
  yield* items;
}

/** What is known of each artifact of a task, and its values. */
async function savedBy(
  flow: FlowDataStore,
  taskId: string,
  save: (task: Awaited<ReturnType<FlowDataStore['createTaskDataStore']>>) => Promise<void>,
) {
  await flow.task({ ...spec, taskId }, save);
  const task = await flow.getTaskDataStore(`r1/fit/${taskId}`);
  const infos = task.names().map((name) => {
    const { storedBytes: _, ...info } = task.info(name);
    return info;
  });
  return { infos, values: await task.loadArtifacts() };
}

const sizes = fc.constantFrom(0, 10, 5_000, 20_000, 300_000);
const artifacts = fc.dictionary(fc.stringMatching(/^[a-z]{1,3}$/), fc.tuple(sizes, fc.nat(5)), {
  maxKeys: 12,
});

describe('artifacts as a record, a list, a Map, and iterables of either kind', () => {
  test.prop([artifacts], { numRuns: Math.ceil(propertyRuns / 4) })('are saved alike', async (spec) => {
    const values = Object.fromEntries(
      Object.entries(spec).map(([name, [bytes, seed]]) => [
        name,
        seed === 0 ? 'x'.repeat(bytes) : noise(bytes, seed),
      ]),
    );
    const flow = await openFlow();
    const entries = Object.entries(values);
    const named = entries.map(([name, value]) => ({ name, value }));
    const expected = await savedBy(flow, 'record', (task) => task.saveArtifacts(values));
    expectSame(expected.values, values);
    const forms: [string, Iterable<NamedArtifact> | AsyncIterable<NamedArtifact>][] = [
      ['list', named],
      ['map', new Map(entries)],
      ['generator', inTurn(entries)],
      ['async', oneByOne(named)],
    ];
    for (const [taskId, form] of forms) {
      const saved = await savedBy(flow, taskId, (task) => task.saveArtifacts(form));
      expect(saved.infos).toEqual(expected.infos);
      expectSame(saved.values, values);
    }
  });

  test.prop([
    fc.array(fc.tuple(fc.constantFrom('a', 'b'), sizes, fc.integer({ min: 1, max: 4 })), { maxLength: 8 }),
  ])('a later value of a name replaces an earlier one, whatever their sizes', async (items) => {
    const pairs = items.map(([name, bytes, seed]): [string, Uint8Array] => [name, noise(bytes, seed)]);
    const flow = await openFlow();
    const { values } = await savedBy(flow, 'x', (task) => task.saveArtifacts(oneByOne(pairs)));
    expectSame(values, Object.fromEntries(pairs));
  });
});

describe('an iterable of artifacts', () => {
  it('may use the memory of one value for the next', async () => {
    const flow = await openFlow();
    for (const bytes of [20_000, 300_000]) {
      const scratch = new Uint8Array(bytes);
      async function* reusing() {
        for (let i = 0; i < 5; i++) yield [`a${i}`, scratch.fill(i)] as const;
      }
      const { values } = await savedBy(flow, `${bytes}`, (task) => task.saveArtifacts(reusing()));
      expect(Object.values(values).map((value) => (value as Uint8Array)[0])).toEqual([0, 1, 2, 3, 4]);
    }
  });

  it('is asked for a large value only when the one before is stored', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const stored: number[] = [];
    async function* watching() {
      for (let i = 0; i < 4; i++) {
        stored.push((await objectNames(storage, 'manifests/')).length);
        yield [`a${i}`, noise(300_000, i + 1)] as const;
      }
    }
    await flow.task(spec, (task) => task.saveArtifacts(watching()));
    expect(stored).toEqual([0, 1, 2, 3]);
  });

  it('that throws names nothing of the call, and the attempt can go on once it is saved again', async () => {
    const flow = await openFlow();
    const broken = new Error('the source broke off');
    async function* failing() {
      yield ['a', 1] as const;
      yield ['b', noise(300_000)] as const;
      throw broken;
    }
    const task = await flow.createTaskDataStore(spec);
    await expect(task.saveArtifacts(failing())).rejects.toBe(broken);
    await task.saveArtifacts({ c: 'x'.repeat(16_000) });
    await errorOf(task.done(), 'SAVE_FAILED');
    await task.saveArtifacts(
      oneByOne([
        ['a', 2],
        ['b', 2],
      ] as const),
    );
    await task.done();
    expect(await (await flow.getTaskDataStore('r1/fit/0')).loadArtifacts(['a', 'b'])).toEqual({ a: 2, b: 2 });
  });

  it('is ended when the call is aborted, even while it waits', async () => {
    const flow = await openFlow();
    const controller = new AbortController();
    let ended = false;
    const source = {
      [Symbol.asyncIterator]: () => ({
        next: () => {
          setTimeout(() => controller.abort(), 5);
          return new Promise<never>(() => {});
        },
        return: async () => {
          ended = true;
          return { done: true as const, value: undefined };
        },
      }),
    };
    const task = await flow.createTaskDataStore(spec);
    await errorOf(task.saveArtifacts(source, { signal: controller.signal }), 'ABORTED');
    expect(ended).toBe(true);
    await readIncomplete(flow, task);
  });

  it('that never waits does not keep an abort from its turn', async () => {
    const flow = await openFlow();
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 30);
    function* endless() {
      for (let i = 0; i < 50_000_000; i++) yield [`a${i % 10}`, i] as const;
    }
    const task = await flow.createTaskDataStore(spec);
    await errorOf(task.saveArtifacts(endless(), { signal: controller.signal }), 'ABORTED');
    await readIncomplete(flow, task);
  });

  it('does not fill metadata.json past the limit of inline values, nor count what failed', async () => {
    const flow = await openFlow();
    const open = await flow.createTaskDataStore(spec);
    for (let i = 0; i < 5; i++) {
      async function* failing() {
        for (let j = 0; j < 30; j++) yield [`${i}-${j}`, 'x'.repeat(15_000)] as const;
        throw new Error('no');
      }
      await open.saveArtifacts(failing()).catch(() => {});
    }
    await open.saveArtifacts(
      oneByOne(Array.from({ length: 60 }, (_, i) => [`n${i}`, 'y'.repeat(15_000)] as const)),
    );
    const task = await readIncomplete(flow, open);
    expect(task.names().filter((name) => task.info(name).inline)).toHaveLength(34);
  });
});

describe('options of single artifacts', () => {
  it('choose the serializer, the compression and the place of one', async () => {
    const flow = await openFlow();
    await flow.task(spec, (task) =>
      task.saveArtifacts(
        { small: { a: 1 }, large: 'x'.repeat(100_000), text: 'hello', plain: 'y'.repeat(50_000) },
        {
          artifacts: {
            small: { inline: false },
            large: { inline: true },
            text: { serializer: 'msgpack' },
            plain: { compression: 'none' },
          },
        },
      ),
    );
    const task = await flow.getTaskDataStore('r1/fit/0');
    expect(task.info('small').inline).toBe(false);
    expect(task.info('large').inline).toBe(true);
    expect(task.info('text').encoding).toBe('msgpack');
    expect(task.info('plain').storedBytes).toBeGreaterThan(50_000);
    expect(await task.loadArtifacts()).toEqual({
      small: { a: 1 },
      large: 'x'.repeat(100_000),
      text: 'hello',
      plain: 'y'.repeat(50_000),
    });
  });

  it('come with the items of an iterable as well', async () => {
    const flow = await openFlow();
    const item = { name: 'text', value: 'hello', serializer: 'msgpack', inline: false };
    await flow.task(spec, (task) => task.saveArtifacts([item], { serializer: 'string', inline: true }));
    const info = (await flow.getTaskDataStore('r1/fit/0')).info('text');
    expect([info.encoding, info.inline]).toEqual(['msgpack', false]);
  });

  it('inline: true does not pass the limit of an attempt', async () => {
    const flow = await openFlow();
    await flow.task(spec, (task) => task.saveArtifacts({ a: noise(600_000) }, { inline: true }));
    expect((await flow.getTaskDataStore('r1/fit/0')).info('a').inline).toBe(false);
  });

  it.each([
    ['a misspelt option', { compresion: 'none' }],
    ['a misspelt option of one', { artifacts: { a: { inlined: true } } }],
    ['options of an artifact that is not saved', { artifacts: { b: { inline: true } } }],
    ['an unknown serializer', { serializer: 'pickle' }],
    ['an unknown serializer of one', { artifacts: { a: { serializer: 'pickle' } } }],
    ['a compression that is none', { artifacts: { a: { compression: 'gzip' } } }],
    ['text for inline', { inline: 'yes' }],
    ['null for options', { artifacts: { a: null } }],
    ['text for options by name', { artifacts: 'a' }],
    ['a number for rawDataPath of one', { artifacts: { a: { rawDataPath: 5 } } }],
  ])('%s is refused, and nothing is saved', async (_, options) => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(spec);
    const before = await objectNames(flow.storage);
    // biome-ignore lint/suspicious/noExplicitAny: what the types leave out
    for (const form of [{ a: 1 }, oneByOne([['a', 1] as const])] as any[]) {
      // biome-ignore lint/suspicious/noExplicitAny: what the types leave out
      await errorOf(task.saveArtifacts(form, options as any), 'INVALID_ARGUMENT');
    }
    expect(await objectNames(flow.storage)).toEqual(before);
    await readIncomplete(flow, task);
  });

  it.each<[unknown, RegExp]>([
    [{ artifacts: { a: { inline: 'yes' } } }, /^inline of artifact a must be true or false, not "yes"/],
    [{ serializer: 5 }, /^serializer must be the id of a serializer, such as 'msgpack', not 5/],
    [
      { artifacts: { a: { inlined: true } } },
      /^Artifact a has no option inlined\. Did you mean inline\? It has compression,/,
    ],
    [{ artifacts: 5 }, /^artifacts must be options by the names of artifacts/],
  ])('options that are refused say what they should be: %j', async (options, message) => {
    const task = await (await openFlow()).createTaskDataStore(spec);
    const error = await errorOf(task.saveArtifacts({ a: 1 }, options as object), 'INVALID_ARGUMENT');
    expect(error.message).toMatch(message);
  });
});

describe('saveArtifactStream', () => {
  async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }

  it.each([0, 1, 20_000, 300_000, 5_000_000])('%i bytes load as the array that they are', async (bytes) => {
    const flow = await openFlow();
    const content = noise(bytes, 3);
    await flow.task(spec, async (task) => {
      await task.saveArtifactStream('streamed', pieces(content, 65_537));
      await task.saveArtifacts({ whole: content }, { inline: false });
    });
    const task = await flow.getTaskDataStore('r1/fit/0');
    expectSame(await task.loadArtifacts(), { streamed: content, whole: content });
    expect(task.info('streamed').inline).toBe(bytes <= 16_384);
    const [streamed, whole] = task.keysForArtifacts(['streamed', 'whole']);
    expect(streamed).toBe(whole);
  });

  it('a stream that throws, or yields no bytes, names nothing', async () => {
    const flow = await openFlow();
    const task = await flow.createTaskDataStore(spec);
    const broken = new Error('broken pipe');
    async function* failing() {
      yield noise(300_000);
      throw broken;
    }
    await expect(task.saveArtifactStream('a', failing())).rejects.toBe(broken);
    // biome-ignore lint/suspicious/noExplicitAny: what the types leave out
    await errorOf(task.saveArtifactStream('a', oneByOne(['text']) as any), 'INVALID_ARGUMENT');
    // biome-ignore lint/suspicious/noExplicitAny: what the types leave out
    await errorOf(task.saveArtifactStream('a', noise(5) as any), 'INVALID_ARGUMENT');
    await errorOf(task.saveArtifactStream('a/b', pieces(noise(5), 1)), 'INVALID_NAME');
    expect((await readIncomplete(flow, task)).names()).toEqual([]);
    await errorOf(task.saveArtifactStream('a', pieces(noise(5), 1)), 'ATTEMPT_CLOSED');
  });
});
