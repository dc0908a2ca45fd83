import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { propertyRuns, test } from '../property.ts';
import { arbitraryValue, rebuilt, vectorTransformer } from '../values/arbitrary-value.ts';
import { difference } from '../values/strictly-equal.ts';
import { noise, objectNames, saveTask } from './fixtures.ts';

const arbitraryName = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,12}$/);
const arbitraryArtifacts = fc.dictionary(arbitraryName, arbitraryValue, {
  maxKeys: 4,
  noNullPrototype: true,
});

function withClasses(): SerializerRegistry {
  const registry = new SerializerRegistry();
  registry.registerClass(vectorTransformer);
  return registry;
}

describe('load(save(v))', () => {
  test.prop([arbitraryArtifacts, fc.constantFrom(0, 16, 16_384)], { numRuns: propertyRuns })(
    'is v, whether values are inline or content',
    async (artifacts, maxInlineBytes) => {
      const storage = new MemoryStorage();
      const options = { flowName: 'Test', storage, maxInlineBytes, serializers: withClasses() };
      const flow = await FlowDataStore.open(options);
      const pathspec = await saveTask(flow, artifacts);
      const reader = await FlowDataStore.open(options);
      const loaded = await (await reader.getTaskDataStore(pathspec)).loadArtifacts();
      for (const name of Object.keys(artifacts)) {
        expect(difference(loaded[name], artifacts[name], name)).toBeUndefined();
      }
      expect(Object.keys(loaded)).toEqual(Object.keys(artifacts));
    },
  );

  test.prop([arbitraryValue], { numRuns: propertyRuns })(
    'equal values have equal digests, inline or content',
    async (value) => {
      const keys: string[] = [];
      for (const [maxInlineBytes, saved] of [
        [0, value],
        [1_000_000, rebuilt(value)],
      ] as const) {
        const options = {
          flowName: 'Test',
          storage: new MemoryStorage(),
          maxInlineBytes,
          serializers: withClasses(),
        };
        const flow = await FlowDataStore.open(options);
        const task = await flow.getTaskDataStore(await saveTask(flow, { saved }));
        keys.push(task.info('saved').key);
      }
      expect(keys[0]).toBe(keys[1]);
    },
  );
});

describe('n saves of any mix of equal and different contents', () => {
  const arbitrarySave = fc.record({
    flow: fc.constantFrom('A', 'B'),
    task: fc.nat(3),
    contents: fc.array(fc.record({ seed: fc.nat(4), bytes: fc.constantFrom(17_000, 20_000, 300_000) }), {
      maxLength: 3,
    }),
  });

  test.prop([fc.array(arbitrarySave, { minLength: 1, maxLength: 8 }), fc.boolean()], {
    numRuns: propertyRuns,
  })('store each content once, and read back exactly', async (saves, atOnce) => {
    const storage = new MemoryStorage();
    const flows = new Map<string, FlowDataStore>();
    for (const flowName of ['A', 'B']) flows.set(flowName, await FlowDataStore.open({ flowName, storage }));
    const save = async ({ flow, task, contents }: (typeof saves)[number], index: number): Promise<void> => {
      const artifacts = Object.fromEntries(
        contents.map(({ seed, bytes }, i) => [`c${i}`, noise(bytes, seed + 1)]),
      );
      const store = flows.get(flow) as FlowDataStore;
      await saveTask(store, artifacts, { taskId: `${task}-${index}` });
      const read = await store.getTaskDataStore(`r1/fit/${task}-${index}`);
      for (const [name, value] of Object.entries(artifacts)) {
        expect(Buffer.compare((await read.get(name)) as Uint8Array, value)).toBe(0);
      }
    };
    if (atOnce) await Promise.all(saves.map(save));
    else for (const [index, one] of saves.entries()) await save(one, index);

    const copies = new Map<string, number>();
    for (const name of [
      ...(await objectNames(storage, 'data/')),
      ...(await objectNames(storage, 'manifests/')),
    ]) {
      const key = name.split('/')[2]?.split('.')[0] as string;
      copies.set(key, (copies.get(key) ?? 0) + 1);
    }
    const distinct = new Set(
      saves.flatMap(({ contents }) => contents.map(({ seed, bytes }) => `${seed} ${bytes}`)),
    );
    expect(copies.size).toBe(distinct.size);
    // Two flows opened apart count as two writers: first writers at once may leave a copy each.
    for (const [key, count] of copies) expect(count, key).toBeLessThanOrEqual(atOnce ? 2 : 1);
  });
});
