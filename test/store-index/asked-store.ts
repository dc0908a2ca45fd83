import fc from 'fast-check';
import type { TaskDataStore } from '../../src/flow/task-data-store.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import type { StoreIndex } from '../../src/store-index/store-index.ts';
import { openFlow } from '../flow/fixtures.ts';
import { openIndex } from './indexes.ts';

/** A task that is done: what it saves, and which earlier ones it takes over from. */
export interface DoneTask {
  flow: string;
  run: string;
  step: string;
  auc: number;
  /** Content of so many numbers, all of this value; from 40,000 on it is stored apart from descriptions. */
  fill: number;
  length: number;
  from: number[];
}

export const arbitraryTasks: fc.Arbitrary<DoneTask[]> = fc.array(
  fc.record({
    flow: fc.constantFrom('A', 'B'),
    run: fc.constantFrom('r1', 'r2', 'r1-2'),
    step: fc.constantFrom('fit', 'fit-2'),
    auc: fc.integer({ min: 0, max: 4 }),
    fill: fc.integer({ min: 0, max: 2 }),
    length: fc.constantFrom(1, 40_000),
    from: fc.array(fc.nat({ max: 11 }), { maxLength: 3 }),
  }),
  { minLength: 1, maxLength: 12 },
);

/** A store of such tasks, each a task of its own by its place in the list, and its index, caught up. */
export async function askedStore(
  tasks: readonly DoneTask[],
): Promise<{ index: StoreIndex; path: string; stores: TaskDataStore[] }> {
  const storage = new MemoryStorage();
  const flows = new Map<string, FlowDataStore>();
  for (const flowName of ['A', 'B']) {
    const flow = await openFlow({ flowName, storage });
    flows.set(flowName, flow);
    for (const runId of ['r1', 'r2', 'r1-2']) await flow.createRun({ runId, tags: [`tag-${runId}`] });
  }
  const stores: TaskDataStore[] = [];
  for (const [at, { flow: name, run, step, auc, fill, length, from }] of tasks.entries()) {
    const flow = flows.get(name) as FlowDataStore;
    await flow.task({ runId: run, stepName: step, taskId: String(at) }, async (task) => {
      for (const other of from) {
        const origin = stores[other];
        if (origin && tasks[other]?.flow === name) await task.passdownPartial(origin, ['data']);
      }
      await task.saveArtifacts({ data: new Float64Array(length).fill(fill), [`by-${fill}`]: auc });
      await task.saveMetadata({ scores: { auc: auc / 4 }, word: `w${auc}`, ok: auc > 2 });
    });
    stores.push(await flow.getTaskDataStore(`${run}/${step}/${at}`));
  }
  const { index, path } = await openIndex({ store: storage });
  await index.catchUp();
  return { index, path, stores };
}

export function pathspecOf({ flow, run, step }: DoneTask, at: number): string {
  return `${flow}/${run}/${step}/${at}/0`;
}

/** All that an answer has. */
export async function allOf<T>(answer: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of answer) all.push(one);
  return all;
}
