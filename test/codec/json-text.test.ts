import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { JsonPieces, jsonText, jsonTextOfMembers } from '../../src/codec/json-text.ts';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { test } from '../property.ts';

type Patchable = { toJSON?: unknown };
const PATCHED = [Object.prototype, Array.prototype] as Patchable[];

/** As Prototype.js, MooTools and others did it. */
function patch(): void {
  for (const prototype of PATCHED) {
    Object.defineProperty(prototype, 'toJSON', { value: () => 'patched', configurable: true });
  }
}

function restore(): void {
  for (const prototype of PATCHED) delete prototype.toJSON;
}

afterEach(restore);

test.prop([fc.anything({ withSparseArray: true, withNullPrototype: true })])(
  'gives the text of JSON.stringify, whether prototypes have a toJSON or not',
  (value) => {
    // What is no plain data has text of its own.
    const text = JSON.stringify(value, (_, member: unknown) =>
      typeof member === 'bigint' || Object.is(member, -0) ? undefined : member,
    );
    const plain: unknown = text === undefined ? null : JSON.parse(text);
    const expected = JSON.stringify(plain);
    expect(jsonText(plain)).toBe(expected);
    patch();
    try {
      expect(jsonText(plain)).toBe(expected);
      expect(jsonText({ a: undefined, f: () => 1, list: [undefined], plain })).toBe(
        `{"list":[null],"plain":${expected}}`,
      );
    } finally {
      restore();
    }
  },
);

test.prop([fc.dictionary(fc.string(), fc.option(fc.jsonValue(), { nil: undefined })), fc.boolean()])(
  'gives the same text of members that are pieces of text',
  (members, isPatched) => {
    const expected = JSON.stringify(members);
    const kept = Object.entries(members).map(([name, value], index) => [
      name,
      value === undefined || index % 2 === 0 ? value : new JsonPieces(JSON.stringify(value).split(/(?=,)/)),
    ]);
    if (isPatched) patch();
    try {
      expect(jsonTextOfMembers(Object.fromEntries(kept))).toBe(expected);
    } finally {
      restore();
    }
  },
);

describe('a toJSON on the prototypes of a program', () => {
  it('changes nothing that is written to a store', async () => {
    const storage = new MemoryStorage();
    const value = { list: [1, { deep: true }], toJSON: 'data', text: 'a'.repeat(100) };
    patch();
    const flow = await FlowDataStore.open({ flowName: 'Train', storage });
    await flow.task({ runId: 'r', stepName: 's', taskId: '0' }, async (task) => {
      await task.saveArtifacts({ value, large: new Uint8Array(300_000).fill(7) });
      await task.saveMetadata({ tags: ['a'], more: { rows: 1 } });
    });
    restore();
    const task = await (await FlowDataStore.open({ flowName: 'Train', storage })).getTaskDataStore('r/s/0');
    expect(await task.get('value')).toEqual(value);
    expect(await task.get('large')).toEqual(new Uint8Array(300_000).fill(7));
    expect(await task.loadMetadata()).toEqual({ tags: ['a'], more: { rows: 1 } });
  });
});
