import { describe, expect, it } from 'vitest';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { expectSame, measures, requiredArrow, saved } from './arrow-fixture.ts';

const code = (expected: string) => expect.objectContaining({ code: expected });

describe('the library', () => {
  const artifact = saved(measures());

  it('is loaded for tables only, and once', async () => {
    let imports = 0;
    const lazy = new SerializerRegistry({
      importArrow: () => {
        imports++;
        return import('apache-arrow');
      },
    });
    expect(lazy.prepareToSave([1, 'text', { schema: {}, batches: [] }, [measures()]])).toBeUndefined();
    expect(lazy.prepareToLoad({ encoding: 'msgpack', type: 'object' })).toBeUndefined();
    expect(lazy.prepareToLoad({ encoding: 'unknown', type: 'object' })).toBeUndefined();
    expect(imports).toBe(0);
    await Promise.all([lazy.prepareToLoad(artifact), lazy.prepareToSave([1, measures()])]);
    expect(imports).toBe(1);
    expect(lazy.prepareToLoad(artifact)).toBeUndefined();
    expect(lazy.prepareToSave([measures()])).toBeUndefined();
    expectSame(lazy.serialize('t', measures()), artifact);
  });

  it('may be another copy, whose tables then come back', async () => {
    const own = new SerializerRegistry({ importArrow: async () => requiredArrow });
    await own.prepareToLoad(artifact);
    const table = own.deserialize('t', artifact, artifact.bytes);
    expect(Object.getPrototypeOf(table)).toBe(requiredArrow.Table.prototype);
  });

  it('must be loaded before, and the error says how', () => {
    const unprepared = new SerializerRegistry();
    expect(() => unprepared.serialize('t', measures())).toThrow(code('UNSERIALIZABLE_ARTIFACT'));
    expect(() => unprepared.serialize('t', measures())).toThrow(/prepareToSave/);
    expect(() => unprepared.deserialize('t', artifact, artifact.bytes)).toThrow(code('UNKNOWN_ENCODING'));
    expect(() => unprepared.deserialize('t', artifact, artifact.bytes)).toThrow(/prepareToLoad/);
  });

  it('that is not installed is asked for by name, in saving, loading and describing', async () => {
    const absent = 'apache-arrow-which-is-not-installed';
    const without = new SerializerRegistry({ importArrow: () => import(/* @vite-ignore */ absent) });
    await without.prepareToSave([measures()]);
    await without.prepareToLoad(artifact);
    const cause = expect.objectContaining({ code: 'ERR_MODULE_NOT_FOUND' });
    const save = () => without.serialize('t', measures());
    expect(save).toThrow(expect.objectContaining({ code: 'UNSERIALIZABLE_ARTIFACT', cause }));
    expect(save).toThrow(/Artifact "t" cannot be saved: .*`npm install apache-arrow`/);
    const load = () => without.deserialize('t', artifact, artifact.bytes);
    expect(load).toThrow(expect.objectContaining({ code: 'UNKNOWN_ENCODING', cause }));
    expect(load).toThrow(/Artifact "t" was written by the serializer "arrow".*`npm install apache-arrow`/);
    expect(without.serialize('n', [1]).encoding).toBe('msgpack');
    expect((await without.describe()).filter(({ available }) => !available)).toEqual([
      expect.objectContaining({ id: 'arrow', reason: expect.stringContaining('npm install apache-arrow') }),
    ]);
  });

  it('that was installed meanwhile is found', async () => {
    const states: (() => Promise<unknown>)[] = [
      () => Promise.reject(new Error('not yet')),
      () => import('apache-arrow'),
    ];
    const later = new SerializerRegistry({ importArrow: () => (states.shift() as () => Promise<unknown>)() });
    await later.prepareToSave([measures()]);
    expect(() => later.serialize('t', measures())).toThrow(/npm install/);
    await later.prepareToSave([measures()]);
    expectSame(later.serialize('t', measures()), artifact);
  });
});
