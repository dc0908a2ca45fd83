import type { CallOptions } from '../storage/contract.ts';
import { orAborted } from '../storage/next-or-aborted.ts';

type Kind = 'artifacts' | 'metadata' | 'logs';

/** What was begun for an attempt and has not ended: it is part of the attempt, whether or not its caller waits for it. */
export class WorkUnderWay {
  readonly #work = new Map<Promise<unknown>, Kind>();

  /** What `work` comes to. */
  async add<T>(kind: Kind, work: Promise<T>): Promise<T> {
    this.#work.set(work, kind);
    try {
      return await work;
    } finally {
      this.#work.delete(work);
    }
  }

  /** Waits until all has ended. Throws what the first of the artifacts and metadata failed with; logs are no results. */
  async succeeded(options: CallOptions): Promise<void> {
    const results = await this.settled(['artifacts', 'metadata'], options);
    await this.settled(['logs'], options);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  /** Waits until what is of these kinds has ended, well or not. */
  settled(kinds: readonly Kind[], { signal }: CallOptions): Promise<PromiseSettledResult<unknown>[]> {
    const chosen = [...this.#work].filter(([, kind]) => kinds.includes(kind)).map(([work]) => work);
    return orAborted(() => Promise.allSettled(chosen), signal);
  }
}
