import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { isStowageError } from '../../src/index.ts';
import type {
  CreateOptions,
  DataStoreStorage,
  GetOptions,
  ListOptions,
  ListPage,
  StoredObject,
} from '../../src/storage/contract.ts';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { abandonedDone, bodyOf } from '../content/storages.ts';
import { noise, openFlow } from '../flow/fixtures.ts';
import { propertyRuns, test } from '../property.ts';

const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };
const base = 'flows/Test/r1/fit/0/';

/** Reaches what it stores in the order that a scheduler chooses: before each request others may go first, and before its answer. */
class Scheduled extends StorageDecorator {
  scheduler: fc.Scheduler | undefined;

  async #turn<T>(work: () => Promise<T>): Promise<T> {
    await this.scheduler?.schedule(Promise.resolve());
    const result = await work();
    await this.scheduler?.schedule(Promise.resolve());
    return result;
  }

  override get(name: string, options?: GetOptions): Promise<StoredObject | undefined> {
    return this.#turn(() => this.inner.get(name, options));
  }

  override create(
    name: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options?: CreateOptions,
  ): Promise<boolean> {
    return this.#turn(() => this.inner.create(name, body, options));
  }

  override async *list(options: ListOptions): AsyncGenerator<ListPage> {
    await this.scheduler?.schedule(Promise.resolve());
    yield* this.inner.list(options);
  }
}

/** A collector gives up on an attempt, if it is there and nobody has closed it. */
async function giveUp(storage: DataStoreStorage, attempt: number): Promise<void> {
  if (!(await storage.head(`${base}${attempt}.attempt.json`))) return;
  await storage.create(
    `${base}${attempt}.DONE`,
    abandonedDone(await bodyOf(storage, `${base}${attempt}.attempt.json`)),
  );
}

type Actor = 'done' | 'fail' | 'abortedDone' | 'giveUp0' | 'giveUp1' | 'openNext';

describe('calls that close one attempt at once', () => {
  test.prop(
    [
      fc.scheduler(),
      fc.boolean(),
      fc.array(
        fc.constantFrom<Actor>('done', 'done', 'fail', 'abortedDone', 'giveUp0', 'giveUp1', 'openNext'),
        {
          minLength: 1,
          maxLength: 5,
        },
      ),
    ],
    { numRuns: propertyRuns },
  )(
    'come to one outcome, and leave nothing open, with or without a fence',
    async (scheduler, isSilent, actors) => {
      const inner = new MemoryStorage();
      const storage = new Scheduled(inner);
      const flow = await openFlow({ storage });
      const task = await flow.createTaskDataStore(spec);
      await task.saveArtifacts({ inline: 1, small: noise(20_000) });
      if (isSilent) await giveUp(inner, 0);
      let foreign = 0;
      const act: Record<Actor, () => Promise<unknown>> = {
        done: () => task.done(),
        fail: () => task.fail(new Error('no')),
        abortedDone: async () => {
          const abort = new AbortController();
          const done = task.done({ signal: abort.signal });
          await scheduler.schedule(Promise.resolve());
          abort.abort();
          await done;
        },
        giveUp0: () => giveUp(storage, 0),
        giveUp1: () => giveUp(storage, 1),
        openNext: async () => {
          const other = await openFlow({ storage: inner });
          const next = await other.createTaskDataStore(spec);
          foreign += 1;
          await next.fail(new Error('other'));
        },
      };
      storage.scheduler = scheduler;
      const settled = await scheduler.waitFor(Promise.allSettled(actors.map((actor) => act[actor]())));
      storage.scheduler = undefined;
      const outcomesOf = (actor: Actor): string[] =>
        settled.flatMap((each, index) => {
          if (actors[index] !== actor) return [];
          if (each.status === 'fulfilled') return ['fulfilled'];
          if (!isStowageError(each.reason)) throw each.reason;
          return [each.reason.code];
        });
      const [dones, fails] = [outcomesOf('done'), outcomesOf('fail')];
      // Whoever was the only one to try, and was aborted, tries again.
      if (!task.isClosed)
        dones.push(
          await task.done().then(
            () => 'fulfilled',
            ({ code }) => code,
          ),
        );
      const attempts = await flow.getTaskDataStores({ runId: 'r1', includePrior: true, allowNotDone: true });
      expect(attempts.map(({ status }) => status)).not.toContain('open');
      const isDone = attempts.some((attempt) => attempt.isDone);
      if (dones.includes('fulfilled')) expect(isDone).toBe(true);
      if (isDone)
        expect(await (await flow.getTaskDataStore('r1/fit/0', { attempt: 'latestDone' })).get('inline')).toBe(
          1,
        );
      if (isDone) expect(fails.filter((code) => code === 'fulfilled')).toEqual([]);
      if (foreign === 0) expect([...dones, ...fails]).not.toContain('ATTEMPT_FENCED');
      if (fails.length === 0 && foreign === 0) expect(isDone).toBe(true);
      expect(attempts.filter((attempt) => attempt.isDone).length).toBeLessThanOrEqual(1);
    },
  );
});
