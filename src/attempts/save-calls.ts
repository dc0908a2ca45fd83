import { setImmediate as nextTurn } from 'node:timers/promises';
import { orAborted } from '../async/next-or-aborted.ts';
import { attempted, messageOf, StowageError } from '../errors.ts';
import type { CallOptions } from '../storage/contract.ts';

type Kind = 'artifacts' | 'metadata' | 'logs';

/** What one call saves, in words for people: `artifact model`, `metadata rows`, `log task/stdout`. */
export type Subject = string;

/** The items of an iterable that nobody has seen yet: another iterable may bring them again. */
export const REST_OF_ITERABLE: Subject = 'the rest of an iterable';
const UNTOLD: Subject = 'what a call was given';
/** How many subjects an error names; its details have all. */
const MAX_TOLD = 5;

/** A save that failed. */
interface FailedSave {
  order: number;
  error: unknown;
  /** Taking over from all of these later is as good as saving every name. */
  origins: readonly string[];
}

/** What an attempt lacks, and why. */
export interface Unsaved {
  subjects: Subject[];
  error: unknown;
}

/** One call that saves something: its place in the order of the calls, and what it is to save. */
export class SaveCall {
  readonly kind: Kind;
  readonly order: number;
  readonly subjects: Set<Subject> = new Set();
  origins: readonly string[] = [];
  /** Resolves when the call has ended, well or not. */
  readonly ended: Promise<void>;
  end: () => void = () => {};
  readonly #saved: Map<string, number>;
  readonly #ensureOpen: () => void;

  constructor(kind: Kind, order: number, saved: Map<string, number>, ensureOpen: () => void) {
    this.kind = kind;
    this.order = order;
    this.#saved = saved;
    this.#ensureOpen = ensureOpen;
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
  }

  /**
   * Tells what the call is to save, as soon as that is known: if it fails, these are what has to be saved again. Throws where
   * it came too late to be a part of the attempt.
   */
  expect(subjects: Iterable<Subject>, origins: readonly string[] = this.origins): void {
    for (const subject of subjects) this.subjects.add(subject);
    this.origins = origins;
    this.ensureOpen();
  }

  /** Throws where the attempt is closed, so that nothing may be named in it any more. */
  ensureOpen(): void {
    this.#ensureOpen();
  }

  /** Saves `subject` by this call, unless a later call has saved it before. */
  take(subject: Subject): boolean {
    if ((this.#saved.get(subject) ?? 0) > this.order) return false;
    this.#saved.set(subject, this.order);
    return true;
  }

  succeed(): void {
    // Members of metadata are taken one by one: those that are `undefined` are left out, and replace nothing.
    if (this.kind === 'metadata') return;
    for (const subject of this.subjects) this.take(subject);
    for (const origin of this.origins) this.take(origin);
  }
}

/**
 * The calls that save something for an attempt, in their order. All are part of it, whether or not their callers wait for
 * them: of one name the latest call counts, and one that failed leaves the attempt incomplete until its names are saved again.
 */
export class SaveCalls {
  readonly #onFailure: () => void;
  readonly #underWay = new Set<SaveCall>();
  /** By what was saved, or taken over from: the latest call that did. */
  readonly #saved = new Map<string, number>();
  readonly #failed = new Map<Subject, FailedSave>();
  #count = 0;

  constructor(onFailure: () => void) {
    this.#onFailure = onFailure;
  }

  /** What `work` comes to. `ensureOpen` is asked before anything is saved, and before it is named. */
  async run<T>(kind: Kind, ensureOpen: () => void, work: (call: SaveCall) => Promise<T>): Promise<T> {
    this.#count += 1;
    const call = new SaveCall(kind, this.#count, this.#saved, ensureOpen);
    return this.#waitedFor(call, async () => {
      try {
        const result = await work(call);
        call.succeed();
        return result;
      } catch (error) {
        this.#noteFailure(call, error);
        throw error;
      }
    });
  }

  /** What `work` comes to, which saves nothing, but is waited for as what does. */
  async waitFor<T>(kind: Kind, work: () => Promise<T>): Promise<T> {
    return this.#waitedFor(new SaveCall(kind, 0, this.#saved, () => {}), work);
  }

  /** Whether a call that has not ended is to save `subject`. */
  isUnderWay(subject: Subject): boolean {
    return [...this.#underWay].some(({ subjects }) => subjects.has(subject));
  }

  /** Waits until all calls of these kinds have ended, well or not. */
  async settled(kinds: readonly Kind[], { signal }: CallOptions): Promise<void> {
    const calls = [...this.#underWay].filter(({ kind }) => kinds.includes(kind));
    if (calls.length === 0) return;
    await orAborted(() => Promise.all(calls.map(({ ended }) => ended)), signal);
    // Those who awaited them have their turn: what they save next is told from what they never began.
    await nextTurn();
  }

  /** The attempt goes on without what could not be saved. */
  forgo(subject: Subject): void {
    this.#failed.delete(subject);
  }

  /** What failed and was not saved by a later call; `undefined` where nothing is missing. */
  unsaved(): Unsaved | undefined {
    const missing = [...this.#failed].filter(([subject, failure]) => !this.#isMadeGood(subject, failure));
    const [first] = missing;
    return first && { subjects: missing.map(([subject]) => subject), error: first[1].error };
  }

  async #waitedFor<T>(call: SaveCall, work: () => Promise<T>): Promise<T> {
    this.#underWay.add(call);
    try {
      return await work();
    } finally {
      this.#underWay.delete(call);
      call.end();
    }
  }

  #isMadeGood(subject: Subject, { order, origins }: FailedSave): boolean {
    const isSavedSince = (what: string): boolean => (this.#saved.get(what) ?? 0) > order;
    return isSavedSince(subject) || (origins.length > 0 && origins.every(isSavedSince));
  }

  #noteFailure({ order, subjects, origins }: SaveCall, error: unknown): void {
    const untold = origins.length > 0 ? `what ${origins.join(', ')} has` : UNTOLD;
    for (const subject of subjects.size > 0 ? subjects : [untold]) {
      if ((this.#failed.get(subject)?.order ?? 0) < order)
        this.#failed.set(subject, { order, error, origins });
    }
    this.#onFailure();
  }
}

/** The names in what users pass by name; none in anything else. */
export function namesIn(values: unknown): string[] {
  if (typeof values !== 'object' || values === null) return [];
  return attempted(() => (Array.isArray(values) ? [] : Object.keys(values))) ?? [];
}

/** `SAVE_FAILED`: which attempt, and what it lacks. */
export function saveFailed(flow: string, pathspec: string, { subjects, error }: Unsaved): StowageError {
  const told = subjects.slice(0, MAX_TOLD).join(', ');
  const remedy = subjects.includes(UNTOLD)
    ? 'Nothing tells what that call was to save, so that no other can save it: close the attempt by fail().'
    : 'Save it again before done(), if only a value that says so, or close the attempt by fail().';
  const more = subjects.length > MAX_TOLD ? ` and ${subjects.length - MAX_TOLD} more` : '';
  return new StowageError(
    'SAVE_FAILED',
    `Attempt ${pathspec} of flow ${flow} cannot be done, because ${told}${more} could not be saved, nor was saved by a later call. ${remedy} Saving it failed by: ${messageOf(error)}`,
    { details: { flow, pathspec, unsaved: subjects }, cause: error },
  );
}
