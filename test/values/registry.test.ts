import { describe, expect, it } from 'vitest';
import { SerializerRegistry } from '../../src/values/registry.ts';
import type { Serializer } from '../../src/values/serializer.ts';

class Point {
  readonly x: number;
  constructor(x: number) {
    this.x = x;
  }
}
const pointTransformer = {
  name: 'Point',
  class: Point,
  toValue: (point: Point): number => point.x,
  fromValue: (x: number): Point => new Point(x),
};

const csv: Serializer = {
  id: 'csv',
  priority: 10,
  accepts: (value) => Array.isArray(value) && value.every(Array.isArray),
  serialize: (value) => ({
    type: 'rows',
    bytes: Buffer.from((value as unknown[][]).join('\n')),
    info: { header: false },
  }),
  deserialize: (bytes, info, type) => [type, info, Buffer.from(bytes).toString()],
};

const code = (expected: string) => expect.objectContaining({ code: expected });

describe('a registry', () => {
  it('lists its serializers in the order it tries them', () => {
    const registry = new SerializerRegistry();
    registry.register(csv);
    expect(registry.list().map(({ id }) => id)).toEqual([
      'bytes',
      'typed-array',
      'string',
      'arrow',
      'csv',
      'msgpack',
    ]);
  });

  it('uses a serializer of the user, by priority or by choice', () => {
    const registry = new SerializerRegistry();
    registry.register(csv);
    const artifact = registry.serialize('rows', [[1, 2]]);
    expect(artifact).toMatchObject({ encoding: 'csv', type: 'rows', info: { header: false }, refs: [] });
    expect(registry.deserialize('rows', artifact, artifact.bytes)).toEqual([
      'rows',
      { header: false },
      '1,2',
    ]);
    expect(registry.serialize('rows', [[1, 2]], { serializer: 'msgpack' }).encoding).toBe('msgpack');
  });

  it('refuses a chosen serializer that is unknown, or does not accept the value, and names the artifact', () => {
    const registry = new SerializerRegistry();
    const unknown = () => registry.serialize('a', 1, { serializer: 'csv' });
    expect(unknown).toThrow(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        details: expect.objectContaining({ artifact: 'a', serializer: 'csv' }),
      }),
    );
    expect(unknown).toThrow(/^Artifact "a" cannot be saved: there is no serializer "csv"; there are bytes, /);
    const refusing = () => registry.serialize('a', 1, { serializer: 'bytes' });
    expect(refusing).toThrow(code('UNSERIALIZABLE_ARTIFACT'));
    expect(refusing).toThrow(/^Artifact "a" .*the serializer "bytes" accepts \(it is for byte arrays/);
  });

  it('refuses an id that is taken or empty', () => {
    const registry = new SerializerRegistry();
    expect(() => registry.register({ ...csv, id: 'bytes' })).toThrow(code('INVALID_ARGUMENT'));
    expect(() => registry.register({ ...csv, id: '' })).toThrow(code('INVALID_ARGUMENT'));
  });

  it('tells which serializer is missing', () => {
    const load = () =>
      new SerializerRegistry().deserialize('t', { encoding: 'parquet', type: 'Table' }, new Uint8Array(0));
    expect(load).toThrow(code('UNKNOWN_ENCODING'));
    expect(load).toThrow(/"parquet".*register/);
  });

  it.each(['accepts', 'serialize'] as const)('names the artifact when `%s` throws', (method) => {
    const registry = new SerializerRegistry();
    const cause = new Error('boom');
    registry.register({
      ...csv,
      accepts: () => true,
      [method]: () => {
        throw cause;
      },
    });
    expect(() => registry.serialize('a', {})).toThrow(
      expect.objectContaining({
        code: 'UNSERIALIZABLE_ARTIFACT',
        cause,
        details: expect.objectContaining({ artifact: 'a' }),
      }),
    );
  });

  it('names the artifact when `deserialize` throws', () => {
    const registry = new SerializerRegistry();
    const cause = new Error('boom');
    registry.register({
      ...csv,
      deserialize: () => {
        throw cause;
      },
    });
    expect(() => registry.deserialize('a', { encoding: 'csv', type: '' }, new Uint8Array(0))).toThrow(
      expect.objectContaining({ code: 'UNDECODABLE_ARTIFACT', cause }),
    );
  });
});

describe('a serializer that must be prepared', () => {
  const needy = (prepare: () => Promise<void>): SerializerRegistry => {
    const registry = new SerializerRegistry();
    registry.register({ ...csv, prepare });
    return registry;
  };
  const encoding = { encoding: 'csv', type: 'rows' };

  it('is prepared for a value it accepts, or an artifact it wrote, and once only', async () => {
    let prepared = 0;
    const registry = needy(async () => {
      prepared++;
    });
    expect(registry.prepareToSave([1, {}, 'text'])).toBeUndefined();
    expect(registry.prepareToLoad({ encoding: 'msgpack', type: 'array' })).toBeUndefined();
    expect(prepared).toBe(0);
    await Promise.all([registry.prepareToSave([1, [[2]]]), registry.prepareToLoad(encoding)]);
    expect(prepared).toBe(1);
    expect(registry.prepareToSave([[[2]]])).toBeUndefined();
    expect(registry.prepareToLoad(encoding)).toBeUndefined();
    expect(registry.serialize('a', [[2]]).encoding).toBe('csv');
  });

  it('that fails is reported with the artifact, is tried again, and holds up nothing else', async () => {
    const cause = new Error('no network');
    const outcomes = [() => Promise.reject(cause), () => Promise.resolve()];
    const registry = needy(() => (outcomes.shift() as () => Promise<void>)());
    await registry.prepareToSave([[[2]], 'text']);
    expect(() => registry.serialize('a', [[2]])).toThrow(
      expect.objectContaining({ code: 'UNSERIALIZABLE_ARTIFACT', cause }),
    );
    expect(() => registry.deserialize('a', encoding, new Uint8Array(0))).toThrow(
      expect.objectContaining({ code: 'UNKNOWN_ENCODING', cause }),
    );
    expect(() => registry.serialize('a', [[2]])).toThrow(/"csv", which cannot be used here: no network/);
    expect(registry.serialize('b', 'text').encoding).toBe('string');
    await registry.prepareToSave([[[2]]]);
    expect(registry.serialize('a', [[2]]).encoding).toBe('csv');
  });

  it('whose `accepts` throws is reported when the value is serialized', async () => {
    const registry = new SerializerRegistry();
    const accepts = () => {
      throw new Error('boom');
    };
    registry.register({ ...csv, priority: 500, accepts, prepare: async () => undefined });
    expect(registry.prepareToSave([1])).toBeUndefined();
    expect(() => registry.serialize('a', 1)).toThrow(/Artifact "a" .*boom/);
  });
});

describe('a registered class', () => {
  it('comes back from anywhere in a value', () => {
    const registry = new SerializerRegistry();
    registry.registerClass(pointTransformer);
    const value = { a: [new Point(1)], m: new Map([[new Point(2), new Set([new Point(3)])]]) };
    const artifact = registry.serialize('a', value);
    const loaded = registry.deserialize('a', artifact, artifact.bytes) as typeof value;
    expect(loaded).toEqual(value);
    expect(loaded.a[0]).toBeInstanceOf(Point);
    expect(artifact.json).toBeUndefined();
  });

  it('can extend a built-in', () => {
    class Path extends Array<string> {}
    const registry = new SerializerRegistry();
    registry.registerClass({
      name: 'Path',
      class: Path,
      toValue: (path) => [...path],
      fromValue: (parts: string[]) => Path.from(parts) as Path,
    });
    const artifact = registry.serialize('a', Path.from(['x', 'y']));
    expect(registry.deserialize('a', artifact, artifact.bytes)).toBeInstanceOf(Path);
  });

  it('does not make its subclasses savable', () => {
    class Point3 extends Point {}
    const registry = new SerializerRegistry();
    registry.registerClass(pointTransformer);
    expect(() => registry.serialize('a', new Point3(1))).toThrow(/Point3/);
  });

  it('is asked for by name where it is not registered', () => {
    const registry = new SerializerRegistry();
    registry.registerClass(pointTransformer);
    const artifact = registry.serialize('a', [new Point(1)]);
    const load = () => new SerializerRegistry().deserialize('a', artifact, artifact.bytes);
    expect(load).toThrow(code('UNKNOWN_ENCODING'));
    expect(load).toThrow(/"Point".*registerClass/);
  });

  it('records the content that its instances point at, each once', () => {
    const registry = new SerializerRegistry();
    registry.registerClass({
      ...pointTransformer,
      toValue(point, context) {
        context.addRef({ place: 'main', kind: 'key', name: String(point.x).padStart(64, '0') });
        return point.x;
      },
    });
    const { refs } = registry.serialize('a', [new Point(1), new Point(2), new Point(1)]);
    expect(refs).toEqual([
      { place: 'main', kind: 'key', name: '1'.padStart(64, '0') },
      { place: 'main', kind: 'key', name: '2'.padStart(64, '0') },
    ]);
    expect(registry.serialize('b', 1).refs).toEqual([]);
  });

  it('can save another artifact while it is saved', () => {
    const registry = new SerializerRegistry();
    registry.registerClass({
      ...pointTransformer,
      fromValue: (length) => length as never,
      toValue: (point) => registry.serialize('inner', [point.x, 'inner']).bytes.length,
    });
    for (let round = 0; round < 3; round++) {
      const artifact = registry.serialize('a', ['before', new Point(1), 'after']);
      expect(registry.deserialize('a', artifact, artifact.bytes)).toEqual(['before', 8, 'after']);
    }
  });

  it('that throws names the artifact, either way', () => {
    const registry = new SerializerRegistry();
    const fail = () => {
      throw new Error('boom');
    };
    registry.registerClass({ ...pointTransformer, fromValue: fail });
    const artifact = registry.serialize('a', new Point(1));
    expect(() => registry.deserialize('a', artifact, artifact.bytes)).toThrow(code('UNDECODABLE_ARTIFACT'));
    const other = new SerializerRegistry();
    other.registerClass({ ...pointTransformer, toValue: fail });
    expect(() => other.serialize('a', { p: new Point(1) })).toThrow(/Point\.toValue\(a\.p\).*boom/);
  });

  it('that changes a collection while it is saved is refused', () => {
    const registry = new SerializerRegistry();
    const map = new Map<unknown, unknown>([[1, new Point(1)]]);
    registry.registerClass({ ...pointTransformer, toValue: (point) => map.set(map.size + 1, 1) && point.x });
    expect(() => registry.serialize('a', map)).toThrow(/changed while/);
  });

  it('needs a free name, and to be a class of the user, once', () => {
    const registry = new SerializerRegistry();
    registry.registerClass(pointTransformer);
    expect(() => registry.registerClass(pointTransformer)).toThrow(code('INVALID_ARGUMENT'));
    expect(() => registry.registerClass({ ...pointTransformer, name: 'Other' })).toThrow(
      code('INVALID_ARGUMENT'),
    );
    expect(() => registry.registerClass({ ...pointTransformer, name: '' })).toThrow(code('INVALID_ARGUMENT'));
    for (const Class of [Object, Map, Error, URL, Buffer, () => 1, {}]) {
      expect(() =>
        registry.registerClass({ name: 'X', class: Class as never, toValue: Number, fromValue: Object }),
      ).toThrow(code('INVALID_ARGUMENT'));
    }
  });
});
