import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { SerializerRegistry } from '../../src/values/registry.ts';
import type { Serializer } from '../../src/values/serializer.ts';
import { propertyRuns, test } from '../property.ts';

const { root } = protobuf.parse(`
  syntax = "proto3";
  package demo;
  message Trial {
    int32 seed = 1;
    string name = 2;
    repeated double losses = 3;
    map<string, string> tags = 4;
    bytes weights = 5;
    Trial parent = 6;
    oneof outcome { double score = 7; string error = 8; }
  }
`);
const Trial = root.lookupType('demo.Trial');

/** Checks a message, which `encode` does not, and gives its wire format. */
function encoded(type: protobuf.Type, message: protobuf.Message): Uint8Array {
  const problem = type.verify(message);
  if (problem !== null) throw new TypeError(problem);
  return type.encode(message).finish();
}

/** Messages of one type anywhere inside a value. */
function registerMessages(registry: SerializerRegistry, type: protobuf.Type): void {
  registry.registerClass({
    name: type.fullName.slice(1),
    class: type.ctor,
    toValue: (message: protobuf.Message) => encoded(type, message),
    fromValue: (bytes: Uint8Array) => type.decode(bytes),
  });
}

/** Messages that are artifacts themselves: their bytes are the wire format and nothing else. */
const protobufSerializer: Serializer = {
  id: 'protobuf',
  priority: 150,
  description: 'protobuf messages, in their wire format',
  accepts: (value) => value instanceof protobuf.Message,
  serialize(value) {
    const message = value as protobuf.Message;
    return { type: message.$type.fullName.slice(1), bytes: encoded(message.$type, message) };
  },
  deserialize: (bytes, _info, type) => root.lookupType(type).decode(bytes),
};

const nested = new SerializerRegistry();
registerMessages(nested, Trial);
const whole = new SerializerRegistry();
registerMessages(whole, Trial);
whole.register(protobufSerializer);

function loaded(registry: SerializerRegistry, value: unknown): unknown {
  const { bytes, ...encoding } = registry.serialize('a', value);
  return registry.deserialize('a', encoding, Uint8Array.from(bytes));
}

const arbitraryTrial: fc.Arbitrary<protobuf.Message> = fc
  .letrec<{ trial: object }>((tie) => ({
    trial: fc.record(
      {
        seed: fc.integer(),
        name: fc.string({ unit: 'grapheme' }),
        losses: fc.array(fc.double()),
        tags: fc.dictionary(
          fc.string({ unit: 'grapheme' }).filter((key) => key !== '__proto__'),
          fc.string(),
        ),
        weights: fc.uint8Array(),
        parent: fc.option(tie('trial'), { nil: undefined, maxDepth: 2 }),
        score: fc.double(),
      },
      { requiredKeys: [] },
    ),
  }))
  .trial.map((fields) => Trial.fromObject(fields));

const plain = (message: unknown) => Trial.toObject(message as protobuf.Message, { bytes: Array });

test.prop([arbitraryTrial], { numRuns: propertyRuns })(
  'messages come back, as artifacts and within them',
  (trial) => {
    const value = { trials: [trial], byName: new Map([['best', trial]]) };
    const again = loaded(nested, value) as typeof value;
    for (const message of [again.trials[0], again.byName.get('best'), loaded(whole, trial)]) {
      expect(message).toBeInstanceOf(Trial.ctor);
      expect(plain(message)).toEqual(plain(trial));
    }
  },
);

describe('a message', () => {
  const trial = Trial.create({ seed: 150, name: 'testing' });

  it('that is an artifact has the bytes that any protobuf tool reads', () => {
    const { bytes, encoding, type, json } = whole.serialize('t', trial);
    // The examples of https://protobuf.dev/programming-guides/encoding/.
    expect(Buffer.from(bytes).toString('hex')).toBe('089601' + '120774657374696e67');
    expect({ encoding, type, json }).toEqual({ encoding: 'protobuf', type: 'demo.Trial', json: undefined });
  });

  it('within a value is saved by its class, whatever serializer there is for it alone', () => {
    expect(whole.serialize('t', [trial]).encoding).toBe('msgpack');
    expect(whole.explain(trial).find(({ chosen }) => chosen)?.id).toBe('protobuf');
    expect(nested.explain(trial).find(({ chosen }) => chosen)?.id).toBe('msgpack');
  });

  it('that is not valid is refused by its path', () => {
    const invalid = Object.assign(Trial.create(), { seed: 'many' });
    const expected = expect.objectContaining({
      code: 'UNSERIALIZABLE_ARTIFACT',
      cause: expect.any(TypeError),
    });
    for (const [registry, value] of [
      [nested, { runs: [invalid] }],
      [whole, invalid],
    ] as const) {
      expect(() => registry.serialize('t', value)).toThrow(expected);
      expect(() => registry.serialize('t', value)).toThrow(/seed: integer expected/);
    }
    expect(() => nested.serialize('t', { runs: [invalid] })).toThrow(/demo\.Trial\.toValue\(t\.runs\[0\]\)/);
  });

  it('of a type that is not registered is asked for by its name', () => {
    const { bytes, ...encoding } = nested.serialize('t', [trial]);
    const load = () => new SerializerRegistry().deserialize('t', encoding, bytes);
    expect(load).toThrow(expect.objectContaining({ code: 'UNKNOWN_ENCODING' }));
    expect(load).toThrow(/"demo\.Trial".*registerClass/);
  });
});

test.prop([fc.uint8Array(), fc.constantFrom('demo.Trial', 'demo.Nothing', '', '__proto__')], {
  numRuns: propertyRuns,
})('any bytes decode to a message or an error', (bytes, type) => {
  try {
    expect(whole.deserialize('t', { encoding: 'protobuf', type }, bytes)).toBeInstanceOf(Trial.ctor);
  } catch (error) {
    expect(error).toMatchObject({ code: 'UNDECODABLE_ARTIFACT' });
  }
});
