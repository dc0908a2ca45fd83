import { describe, expect, it } from 'vitest';
import { SerializerRegistry } from '../../src/artifacts/registry.ts';
import { ArtifactTooLarge } from '../../src/flow/record-view.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { errorOf, noise, openFlow, saveTask } from './fixtures.ts';

const values = {
  a: 1,
  _secret: 'x',
  none: null,
  missing: undefined,
  text: 'y'.repeat(30_000),
  bytes: noise(300_000),
};

describe('what is known without loading', () => {
  it('isNone, keysForArtifacts and artifactSizes make no request', async () => {
    const storage = new CountStorage(new MemoryStorage());
    const flow = await openFlow({ storage });
    const task = await flow.getTaskDataStore(await saveTask(flow, values));
    storage.reset();
    expect(task.names().filter((name) => task.isNone(name))).toEqual(['none', 'missing']);
    expect(task.keysForArtifacts(['bytes', 'a'])).toEqual([task.info('bytes').key, task.info('a').key]);
    expect(task.artifactSizes(['a', 'bytes'])).toEqual({
      a: { bytes: 1, storedBytes: 0 },
      bytes: { bytes: 300_000, storedBytes: task.info('bytes').storedBytes },
    });
    expect(Object.keys(task.artifactSizes())).toEqual(Object.keys(values));
    expect(storage.snapshot().requests).toBe(0);
    for (const call of [
      () => task.isNone('z'),
      () => task.keysForArtifacts(['z']),
      () => task.artifactSizes(['z']),
    ])
      await errorOf(async () => call(), 'ARTIFACT_NOT_FOUND');
  });

  it('isNone holds for values that are content as well', async () => {
    const flow = await openFlow({ maxInlineBytes: 0 });
    const task = await flow.getTaskDataStore(
      await saveTask(flow, { none: null, missing: undefined, no: 0, empty: '' }),
    );
    expect(task.names().filter((name) => task.isNone(name))).toEqual(['none', 'missing']);
  });
});

describe('toRecord', () => {
  it('leaves private ones out, and does not load what is too large', async () => {
    const storage = new CountStorage(new MemoryStorage());
    const flow = await openFlow({ storage });
    const task = await flow.getTaskDataStore(await saveTask(flow, values));
    storage.reset();
    const record = await task.toRecord({ maxValueBytes: 1_000 });
    expect(record).toEqual({
      a: 1,
      none: null,
      missing: undefined,
      text: new ArtifactTooLarge('text', 'string', 30_000),
      bytes: new ArtifactTooLarge('bytes', 'Uint8Array', 300_000),
    });
    expect(Object.keys(record)).toEqual(['a', 'none', 'missing', 'text', 'bytes']);
    expect(storage.snapshot().requests).toBe(0);
    expect(Object.keys(await task.toRecord({ showPrivate: true, names: ['_secret', 'a'] }))).toEqual([
      '_secret',
      'a',
    ]);
    expect((await task.toRecord()).text).toBe(values.text);
    await errorOf(task.toRecord({ maxValueBytes: Number.NaN }), 'INVALID_ARGUMENT');
    await errorOf(task.toRecord({ names: ['z'] }), 'ARTIFACT_NOT_FOUND');
  });

  it('format is a line each', async () => {
    const flow = await openFlow();
    const task = await flow.getTaskDataStore(await saveTask(flow, values));
    expect(await task.format()).toBe(
      [
        'a [1 bytes, number] = 1',
        'none [1 bytes, null] = null',
        'missing [3 bytes, undefined] = undefined',
        'text [30000 bytes, string] = <string of 30000 bytes>',
        'bytes [300000 bytes, Uint8Array] = <Uint8Array of 300000 bytes>',
      ].join('\n'),
    );
  });

  it('artifacts() loads those named', async () => {
    const flow = await openFlow();
    const task = await flow.getTaskDataStore(await saveTask(flow, values));
    const names: string[] = [];
    for await (const { name } of task.artifacts({ names: ['text', 'a'] })) names.push(name);
    expect(names).toEqual(['text', 'a']);
  });
});

describe('where a store lies', () => {
  it('is told by the flow', async () => {
    const flow = await openFlow();
    expect(flow.type).toBe('memory');
    expect(flow.storage.uri('x/y')).toBe(`${flow.datastoreRoot}/x/y`);
  });
});

describe('an artifact of a serializer that is not registered here', () => {
  it('says so however it is read', async () => {
    const serializers = new SerializerRegistry();
    serializers.register({
      id: 'wrapped',
      priority: 500,
      accepts: (value) => typeof value === 'object' && value !== null && 'wrapped' in value,
      serialize: (value) => {
        const { wrapped } = value as { wrapped: number };
        return { type: 'wrapped', bytes: Buffer.from(String(wrapped)), json: { value: { wrapped } } };
      },
      deserialize: (bytes) => ({ wrapped: Number(Buffer.from(bytes).toString()) }),
    });
    const flow = await openFlow({ serializers });
    const pathspec = await saveTask(flow, { inline: { wrapped: 5 } });
    const stranger = await openFlow({ storage: flow.storage });
    const task = await stranger.getTaskDataStore(pathspec);
    await errorOf(async () => task.streamArtifact('inline').next(), 'UNKNOWN_ENCODING');
  });
});
