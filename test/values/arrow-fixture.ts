import { createRequire } from 'node:module';
import * as arrow from 'apache-arrow';
import { expect } from 'vitest';
import { SerializerRegistry } from '../../src/values/registry.ts';
import type { SerializedArtifact } from '../../src/values/serializer.ts';

/** Another copy of the library than the one that an `import` gives. */
export const requiredArrow = createRequire(import.meta.url)('apache-arrow') as typeof arrow;

/** A registry that has loaded the library. */
export const registry = new SerializerRegistry();
await registry.prepareToSave([new arrow.Table()]);

export function saved(table: unknown): SerializedArtifact {
  return registry.serialize('t', table);
}

export function loaded({ bytes, ...encoding }: SerializedArtifact): arrow.Table {
  return registry.deserialize('t', encoding, bytes) as arrow.Table;
}

export function expectSame(a: SerializedArtifact, b: SerializedArtifact): void {
  expect(Buffer.from(a.bytes).equals(b.bytes)).toBe(true);
}

/** Four rows of numbers, times and bigints, with nulls. */
export function measures(): arrow.Table {
  return new arrow.Table({
    id: arrow.vectorFromArray([1n, 2n, null, 4n], new arrow.Int64()),
    at: arrow.vectorFromArray([0, 86_400_000, null, 1], new arrow.TimestampMillisecond('UTC')),
    score: arrow.makeVector(Float64Array.of(1, 2, 3, 4)),
  });
}
