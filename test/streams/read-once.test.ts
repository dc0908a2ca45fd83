import { PassThrough, Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { describe, expect, it } from 'vitest';
import type { OpenTaskDataStore } from '../../src/flow/open-task-data-store.ts';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';

type Source = AsyncIterable<Uint8Array>;

const bytes = Buffer.from('abc');
async function* generated(): AsyncGenerator<Uint8Array> {
  yield bytes;
  yield bytes;
}
async function readAll(source: Source): Promise<void> {
  for await (const _ of source);
}

/** What a program may do to a stream before it is saved. */
const sources: Record<string, () => Source | Promise<Source>> = {
  'an ended Readable': async () => {
    const stream = Readable.from([bytes]);
    await readAll(stream);
    return stream;
  },
  'an ended Readable without a byte': async () => {
    const stream = Readable.from([]);
    await readAll(stream);
    return stream;
  },
  'a Readable read in part': async () => {
    const stream = Readable.from([bytes, bytes]);
    for await (const _ of stream.iterator({ destroyOnReturn: false })) break;
    return stream;
  },
  'a Readable that somebody listens to': async () => {
    const stream = new PassThrough();
    stream.on('data', () => {});
    stream.end(bytes);
    await new Promise((resolve) => setImmediate(resolve));
    return stream;
  },
  'a destroyed Readable': () => Readable.from([bytes]).destroy(),
  'a locked web stream': () => {
    const stream = new Blob([bytes]).stream();
    stream.getReader();
    return stream;
  },
  'an ended web stream': async () => {
    const stream = new Blob([bytes]).stream();
    await readAll(stream);
    return stream;
  },
  'a web stream read in part': async () => {
    const stream = new ReadableStream<Uint8Array>({ pull: (controller) => controller.enqueue(bytes) });
    const reader = stream.getReader();
    await reader.read();
    reader.releaseLock();
    return stream;
  },
  'a cancelled web stream': async () => {
    const stream = new Blob([bytes]).stream();
    await stream.cancel();
    return stream;
  },
  'the body of a Response that was read': async () => {
    const response = new Response('abc');
    await response.text();
    return response.body as Source;
  },
};

/** Every way in for a stream. */
const entries: Record<
  string,
  (source: Source, task: OpenTaskDataStore, flow: FlowDataStore) => Promise<unknown>
> = {
  saveArtifactStream: (source, task) => task.saveArtifactStream('a', source),
  saveLogs: (source, task) => task.saveLogs('task', { stdout: source }),
  saveBlobs: (source, _, flow) => flow.caStore.saveBlobs([source]),
  saveData: (source, _, flow) => flow.caStore.saveData([{ name: 'a', data: source }]),
  'saveBlobs, as its list': (source, _, flow) => flow.caStore.saveBlobs(source),
  'saveArtifacts, as its list': (source, task) => task.saveArtifacts(source as never),
  'map, as its inputs': async (source, _, flow) => {
    const task = flow.cachedTask({ name: 't', version: '1', run: (input: Uint8Array) => input.length });
    return readAll(task.map(source) as never);
  },
  'plan, as its inputs': (source, _, flow) =>
    flow.cachedTask({ name: 't', version: '1', run: (input: Uint8Array) => input.length }).plan(source),
  'a body of a storage': (source) => new MemoryStorage().create('data/x', source),
};

async function entered(entry: string, source: Source): Promise<unknown> {
  const flow = await FlowDataStore.open({ flowName: 'F', storage: new MemoryStorage() });
  const task = await flow.createTaskDataStore({ runId: 'r', stepName: 's', taskId: 't' });
  try {
    await entries[entry]?.(source, task, flow);
    return 'saved';
  } catch (error) {
    return (error as { code?: string }).code ?? error;
  } finally {
    await task.fail(new Error('over'));
    await flow.close();
  }
}

describe.each(Object.keys(entries))('a stream that was read already is refused: %s', (entry) => {
  it.each(Object.keys(sources))('%s', async (kind) => {
    expect(await entered(entry, await (sources[kind] as () => Source)())).toBe('INVALID_ARGUMENT');
  });
});

describe('what was read by a save before', () => {
  const once: Record<string, () => Source> = {
    'a generator': generated,
    'a Readable': () => Readable.from([bytes]),
    'a web stream': () => new Blob([bytes]).stream(),
    'an iterator by hand': () => {
      const source = {
        next: async () => ({ done: true, value: undefined }),
        [Symbol.asyncIterator]: () => source,
      };
      return source as unknown as Source;
    },
  };

  it.each(Object.keys(once))('is refused by a retry, and beside it: %s', async (kind) => {
    const flow = await FlowDataStore.open({ flowName: 'F', storage: new MemoryStorage() });
    const task = await flow.createTaskDataStore({ runId: 'r', stepName: 's', taskId: 't' });
    const source = (once[kind] as () => Source)();
    const both = await Promise.allSettled([
      task.saveArtifactStream('a', source),
      task.saveArtifactStream('b', source),
    ]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    await expect(task.saveArtifactStream('c', source)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await flow.close();
  });

  it('a generator of artifacts or inputs gives nothing a second time', async () => {
    const flow = await FlowDataStore.open({ flowName: 'F', storage: new MemoryStorage() });
    const task = await flow.createTaskDataStore({ runId: 'r', stepName: 's', taskId: 't' });
    const artifacts = (function* (): Generator<[string, number]> {
      yield ['a', 1];
    })();
    await task.saveArtifacts(artifacts);
    await expect(task.saveArtifacts(artifacts)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    const judge = flow.cachedTask({ name: 't', version: '1', run: (input: number) => input });
    const inputs = [1, 2].values();
    await judge.plan(inputs);
    await expect(judge.map(inputs)[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    await flow.close();
  });
});

describe('what can be read from its beginning is saved', () => {
  it('again and again, if it makes a new iterator each time', async () => {
    const flow = await FlowDataStore.open({ flowName: 'F', storage: new MemoryStorage() });
    const source = { [Symbol.asyncIterator]: generated };
    await flow.task({ runId: 'r', stepName: 's', taskId: 't' }, async (task) => {
      await task.saveArtifactStream('a', source);
      await task.saveArtifactStream('b', source);
      const list: [string, number][] = [['c', 1]];
      await task.saveArtifacts(list);
      await task.saveArtifacts(list);
    });
    const task = await flow.getTaskDataStore('r/s/t');
    expect([await task.get('a'), await task.get('b')]).toEqual(
      new Array(2).fill(new Uint8Array(Buffer.from('abcabc'))),
    );
    await flow.close();
  });

  it('though an earlier save refused it before it was read', async () => {
    const flow = await FlowDataStore.open({ flowName: 'F', storage: new MemoryStorage() });
    const source = generated();
    const first = await flow.createTaskDataStore({ runId: 'r', stepName: 's', taskId: 't' });
    await expect(first.saveArtifactStream('a/b', source)).rejects.toMatchObject({ code: 'INVALID_NAME' });
    await expect(
      first.saveArtifactStream('a', source, { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: 'ABORTED' });
    await first.fail(new Error('over'));
    await flow.task({ runId: 'r', stepName: 's', taskId: 't' }, (task) =>
      task.saveArtifactStream('a', source),
    );
    expect(await (await flow.getTaskDataStore('r/s/t')).get('a')).toHaveLength(6);
    await flow.close();
  });

  it('as far as it goes: one that failed gives its own error', async () => {
    const why = new Error('broken');
    const stream = Readable.from([bytes]).on('error', () => {});
    stream.destroy(why);
    await new Promise((resolve) => setImmediate(resolve));
    expect(await entered('saveArtifactStream', stream)).toBe(why);
  });
});
