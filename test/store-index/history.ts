import fc from 'fast-check';
import { expect } from 'vitest';
import { isStowageError } from '../../src/errors.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { eraseFromStore } from '../../src/maintenance/erasure/erase-from-store.ts';
import { removeFromStore } from '../../src/maintenance/retention/remove.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { openFlow } from '../flow/fixtures.ts';

/** Something that is done to a store; `catch up` is left to the test. */
export interface Step {
  kind:
    | 'save'
    | 'fail'
    | 'open'
    | 'close'
    | 'finish'
    | 'pin'
    | 'remove'
    | 'forget'
    | 'erase'
    | 'cached'
    | 'evict'
    | 'publish'
    | 'withdraw'
    | 'resume'
    | 'catch up';
  run: string;
  task: string;
  value: number;
}

export const arbitrarySteps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    kind: fc.constantFrom(
      'save',
      'save',
      'fail',
      'open',
      'close',
      'finish',
      'pin',
      'remove',
      'forget',
      'erase',
      'cached',
      'evict',
      'publish',
      'publish',
      'withdraw',
      'resume',
      'catch up',
    ),
    run: fc.constantFrom('r1', 'r1-2', 'r2'),
    task: fc.constantFrom('0', '0-1', 'a'),
    value: fc.integer({ min: 0, max: 3 }),
  }),
  { minLength: 1, maxLength: 12 },
);

/** A store, and what is done to it. What the store refuses in its state is left out. */
export class History {
  readonly storage: DataStoreStorage;
  readonly #flow: FlowDataStore;
  readonly #open: Awaited<ReturnType<FlowDataStore['createTaskDataStore']>>[] = [];

  private constructor(flow: FlowDataStore, storage: DataStoreStorage) {
    this.#flow = flow;
    this.storage = storage;
  }

  static async begin(storage: DataStoreStorage, rawDataPath?: string): Promise<History> {
    const flow = await openFlow({ flowName: 'Train', storage, ...(rawDataPath ? { rawDataPath } : {}) });
    await flow.createRun({ runId: 'first', tags: ['daily', 'daily'], parameters: { rate: 0.1 } });
    return new History(flow, storage);
  }

  async do({ kind, run, task, value }: Step): Promise<void> {
    const flow = this.#flow;
    const names = { runId: run, stepName: value % 2 === 0 ? 'fit' : 'fit-2', taskId: task };
    switch (kind) {
      case 'save':
        await flow.task({ ...names, label: `try ${value}` }, async (open) => {
          await open.saveArtifacts({ value, large: new Float64Array(10_000).fill(value) });
          await open.saveMetadata({ auc: value / 10, at: { depth: [value, null, 'x\0y'] }, ok: true });
        });
        return;
      case 'fail':
        await errorOfTask(
          flow.task(names, async (open) => {
            await open.saveArtifacts({ value });
            throw new TypeError(`no ${value}`);
          }),
        );
        return;
      case 'open':
        this.#open.push(await flow.createTaskDataStore(names));
        return;
      case 'close':
        await this.#open
          .pop()
          ?.done()
          .catch(() => {}); // one whose run was removed
        return;
      case 'finish':
        await unlessRefused(flow.run(run).finish(value === 0 ? 'failed' : 'done'));
        return;
      case 'pin':
        await unlessRefused(flow.run(run).pin({ reason: `for ${value}` }));
        return;
      case 'remove':
      case 'forget':
        await unlessRefused(
          removeFromStore({
            store: this.storage,
            path: `Train/${run}`,
            contentOnly: kind === 'forget',
            evenPinned: true,
          }),
        );
        return;
      case 'erase': {
        const target = `Train/${run}/${names.stepName}/${task}/value`;
        await unlessRefused(eraseFromStore({ store: this.storage, target, reason: 'asked' }));
        return;
      }
      case 'cached':
        await flow.cachedTask({
          name: 'double',
          version: '1',
          run: async (input: number) => ({ twice: 2 * input }),
        })(value);
        return;
      case 'evict':
        await this.#evict(value);
        return;
      case 'publish': {
        const published = {
          task: `${run}/${names.stepName}/${task}`,
          artifact: value < 2 ? 'value' : 'large',
        };
        await unlessRefused(flow.publish(`model-${value % 2}`, { ...published, attributes: { value } }));
        return;
      }
      case 'withdraw':
        await unlessRefused(flow.withdrawPublished(`model-${value % 2}`, 1 + Math.floor(value / 2)));
        return;
      case 'resume': {
        const runId = `${run}-again-${value}`;
        await unlessRefused(flow.createRun({ runId, resume: `Train/${run}` }));
        await flow.task({ ...names, runId }, (open) => open.saveArtifacts({ value }));
        return;
      }
      case 'catch up':
        return;
    }
  }

  async #evict(value: number): Promise<void> {
    const keys: string[] = [];
    for await (const { key } of this.#flow.cache.entries()) keys.push(key);
    const key = keys[value];
    if (key !== undefined) await this.#flow.cache.evict(key);
  }
}

/** What the store refuses in the state that it is in is left out. */
async function unlessRefused(work: Promise<unknown> | undefined): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isStowageError(error)) throw error;
  }
}

async function errorOfTask(work: Promise<unknown>): Promise<void> {
  await expect(work).rejects.toThrow(TypeError);
}
