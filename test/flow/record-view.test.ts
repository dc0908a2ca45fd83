import { inspect } from 'node:util';
import * as arrow from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArtifactTooLarge, formatArtifact } from '../../src/flow/record-view.ts';
import type { TaskDataStore } from '../../src/flow/task-data-store.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { propertyRuns, test } from '../property.ts';
import { errorOf, noise, openFlow, saveTask } from './fixtures.ts';

const values = {
  a: 1,
  _secret: 'x',
  none: null,
  missing: undefined,
  text: 'y'.repeat(30_000),
  bytes: noise(300_000),
};

/** A closed task with these artifacts, as its readers see it. */
async function taskWith(artifacts: Record<string, unknown>): Promise<TaskDataStore> {
  const flow = await openFlow();
  return flow.getTaskDataStore(await saveTask(flow, artifacts));
}

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

  it('shows private ones that are named', async () => {
    const task = await taskWith({ _p: 1, a: 2 });
    expect(await task.toRecord({ names: ['_p'] })).toEqual({ _p: 1 });
    expect(await task.format({ names: ['_p'], showPrivate: false })).toBe('_p [1 bytes, number] = 1');
    expect(await task.toRecord({ names: undefined })).toEqual({ a: 2 });
  });

  it('has its own limit where `undefined` is given for one', async () => {
    const task = await taskWith({ text: values.text });
    expect(await task.format({ maxValueBytes: undefined })).toBe(
      'text [30000 bytes, string] = <string of 30000 bytes>',
    );
    await errorOf(task.toRecord({ maxValueBytes: null as never }), 'INVALID_ARGUMENT');
  });

  it('artifacts() loads those named', async () => {
    const flow = await openFlow();
    const task = await flow.getTaskDataStore(await saveTask(flow, values));
    const names: string[] = [];
    for await (const { name } of task.artifacts({ names: ['text', 'a'] })) names.push(name);
    expect(names).toEqual(['text', 'a']);
  });
});

describe('format', () => {
  test.prop([fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), fc.nat(3000)], {
    numRuns: propertyRuns,
  })('gives a terminal no command, and each artifact few lines', (stack, text, length) => {
    const values = [Object.assign(new Error(text), { stack }), new Map([[text, stack]]), text.repeat(length)];
    for (const value of [...values, { [text]: { values } }, new Float64Array(length)]) {
      const shown = formatArtifact({ name: text, type: stack, bytes: 1 }, value);
      expect(shown).not.toMatch(/[^\P{Cc}\n\t]|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u);
      const lines = shown.split('\n');
      expect(lines.length).toBeLessThanOrEqual(8);
      expect(lines.slice(1).every((line) => line.startsWith('  '))).toBe(true);
      expect(shown.length).toBeLessThan(1_300 + 6 * (text.length + stack.length));
    }
  });

  it('escapes what a stored stack has for the terminal, and indents its lines', async () => {
    const stack = 'Error: \x1b[31mred\x1b]0;pwn\x07\nb [1 bytes, number] = 2';
    const task = await taskWith({ a: Object.assign(new Error('red'), { stack }) });
    expect(await task.format()).toMatch(
      /^a \[\d+ bytes, Error\] = .*\\x1b\[31mred\\x1b\]0;pwn\\x07\n {2}b \[1 bytes, number\] = 2/,
    );
  });

  it('shows a table by its rows and columns', async () => {
    const year = arrow.vectorFromArray([2001, 2002], new arrow.Int32());
    const rating = arrow.makeVector(Float64Array.of(1, 2));
    const table = new arrow.Table({ year, rating, '\x1b\n': arrow.vectorFromArray([true, null]) });
    const task = await taskWith({ table });
    expect(await task.format({ maxValueBytes: 100_000 })).toBe(
      `table [${task.info('table').bytes} bytes, Table] = Table of 2 rows: year Int32, rating Float64, \\x1b\\n Bool`,
    );
  });

  it('shows the rest on a line', async () => {
    const task = await taskWith({
      url: new URL('https://user@example.com:8080/a?b=c#d'),
      nested: { rows: Array.from({ length: 30 }, (_, id) => ({ id, tags: ['a', 'b'] })), at: new Date(0) },
    });
    const [url, nested, ...more] = (await task.format()).split('\n');
    expect(more).toEqual([]);
    expect(url).toMatch(/= URL https:\/\/user@example.com:8080\/a\?b=c#d$/);
    expect(nested).toMatch(/\{ id: 19, tags: \[ 'a', 'b' \] \}, \.\.\. 10 more items \], at: 1970/);
  });

  it('lets no class say how it is shown, nor be in the way of the others', () => {
    class Loud {
      id = 7;
      [inspect.custom](): string {
        return 'anything';
      }
    }
    class Broken {
      get [Symbol.toStringTag](): string {
        throw new Error('boom');
      }
    }
    const about = { name: 'a', type: 'T', bytes: 1 };
    expect(formatArtifact(about, new Loud())).toBe('a [1 bytes, T] = Loud { id: 7 }');
    // Newer releases of Node show it, older ones throw.
    expect(formatArtifact(about, [new Broken()])).toMatch(/= (<cannot be shown: .*boom|\[ Broken \{\} \]$)/);
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
