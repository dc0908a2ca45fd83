import { setImmediate as nextTurn } from 'node:timers/promises';
import { orAborted } from '../async/next-or-aborted.ts';
import { attempted, messageOf, StowageError } from '../errors.ts';
import type { CallOptions } from '../storage/contract.ts';
import { type Failable, failBeforeProcessEnds } from './failing-attempts.ts';

type Kind = 'artifacts' | 'metadata' | 'logs' | 'traces' | 'checkpoints';

/** Calls that write at once, so that they have an end of their own. */
export const WRITTEN_AT_ONCE: readonly Kind[] = ['metadata', 'logs', 'traces', 'checkpoints'];

/**
 * The steps of an attempt to its end. `ending`: done() waits for what was begun before it. `closing`: closing was
 * tried, so that what the description names may be fixed.
 */
type Phase = 'open' | 'ending' | 'closing' | 'closed';

/** One thing that a call saves, in words for people: `artifact model`, `metadata rows`, `log task/stdout`. */
export type Subject = string;

/** The items of an iterable that nobody has seen yet: another iterable may bring them again. */
export const REST_OF_ITERABLE: Subject = 'the rest of an iterable';
const UNTOLD: Subject = 'what a call was given';
/** An error names so many subjects; its details have all. */
const MAX_TOLD = 5;

/** The subject of an artifact. */
export function artifactSubject(name: string): Subject {
  return `artifact ${String(name)}`;
}

/** The subject of a member of metadata. */
export function metadataSubject(name: string): Subject {
  return `metadata ${name}`;
}

/** A save that failed. */
interface FailedSave {
  order: number;
  error: unknown;
  /** Taking over from all of these later is as good as saving every name. */
  origins: readonly string[];
}

/** One call that saves something, in the order of the calls. Ends by {@link succeed}, {@link fail} or {@link end}. */
export class SaveCall {
  readonly kind: Kind;
  readonly order: number;
  /** Begun before done() was called, which waits for it. */
  readonly isInTime: boolean;
  readonly subjects: Set<Subject> = new Set();
  origins: readonly string[] = [];
  /** Resolves when the call has ended, well or not. */
  readonly ended: Promise<void>;
  readonly #calls: SaveCalls;
  #resolveEnded: () => void = () => {};

  constructor(calls: SaveCalls, kind: Kind, order: number, isInTime: boolean) {
    this.#calls = calls;
    this.kind = kind;
    this.order = order;
    this.isInTime = isInTime;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  /**
   * Notes what the call is to save, as soon as that is known: if it fails, these are what has to be saved again.
   *
   * @throws StowageError `ATTEMPT_CLOSED` as {@link ensureMayCommit}
   */
  expect(subjects: Iterable<Subject>, origins: readonly string[] = this.origins): void {
    for (const subject of subjects) this.subjects.add(subject);
    this.origins = origins;
    this.ensureMayCommit();
  }

  /**
   * Refuses a call that came too late to be a part of the attempt, or went on for too long.
   *
   * @throws StowageError `ATTEMPT_CLOSED`
   */
  ensureMayCommit(): void {
    this.#calls.ensureMayCommit(this);
  }

  /** Counts `subject` as saved by this call; `false` where a later call has saved it before. */
  take(subject: Subject): boolean {
    const { saved } = this.#calls;
    if ((saved.get(subject) ?? 0) > this.order) return false;
    saved.set(subject, this.order);
    return true;
  }

  /** Ends the call, whose subjects are saved. */
  succeed(): void {
    // Members of metadata are taken one by one: those that are `undefined` are left out, and replace nothing.
    if (this.kind !== 'metadata') for (const subject of this.subjects) this.take(subject);
    for (const origin of this.origins) this.take(origin);
    this.end();
  }

  /** Ends the call, whose subjects are missing from now on; returns `error`. */
  fail(error: unknown): unknown {
    this.#calls.noteFailure(this, error);
    this.end();
    return error;
  }

  /** Ends a call that saves nothing. */
  end(): void {
    this.#calls.underWay.delete(this);
    this.#resolveEnded();
  }
}

/**
 * The calls that save something for an attempt, in their order, and until when they may. All are part of it,
 * whether or not their callers wait for them: of one name the latest call counts, and one that failed leaves the
 * attempt incomplete until its names are saved again.
 */
export class SaveCalls {
  readonly #attempt: Failable;
  /** The calls that have not ended. */
  readonly underWay: Set<SaveCall> = new Set();
  /** By what was saved, or taken over from: the latest call that did. */
  readonly saved: Map<string, number> = new Map();
  readonly #failed = new Map<Subject, FailedSave>();
  #phase: Phase = 'open';
  #count = 0;

  constructor(attempt: Failable) {
    this.#attempt = attempt;
  }

  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  get isClosed(): boolean {
    return this.#phase === 'closed';
  }

  /**
   * Begins a call. One that begins while done() waits is refused by its first {@link SaveCall.expect}, and counts
   * as failed, since done() has not decided yet. After a try to close the attempt it is no part of it.
   *
   * @throws StowageError `ATTEMPT_CLOSED`
   */
  begin(kind: Kind): SaveCall {
    if (this.#phase !== 'ending') this.ensureOpen(`save ${kind}`);
    this.#count += 1;
    const call = new SaveCall(this, kind, this.#count, this.#phase === 'open');
    this.underWay.add(call);
    return call;
  }

  /** @throws StowageError `ATTEMPT_CLOSED` */
  ensureMayCommit({ kind, isInTime }: SaveCall): void {
    if (!isInTime || this.#phase !== 'ending') this.ensureOpen(`save ${kind}`);
  }

  /** @throws StowageError `ATTEMPT_CLOSED` where it is closed, or done() or fail() was called */
  ensureOpen(what: string): void {
    if (this.#phase === 'open') return;
    const { pathspec, path } = this.#attempt;
    const attempt = `attempt ${pathspec} of flow ${path.flow}`;
    const why =
      this.#phase === 'closed'
        ? `${attempt} is closed, and a closed attempt never changes. Open a new attempt; if this belongs to that one, await it before it is closed.`
        : `${attempt} is being closed: await what belongs to it before that. If closing failed, call done() again, or fail().`;
    throw new StowageError('ATTEMPT_CLOSED', `Cannot ${what}: ${why}`, {
      details: { pathspec, flow: path.flow },
    });
  }

  /**
   * Waits for all calls, and refuses further ones: a save that nobody awaited is part of the attempt all the same,
   * which without it would be done with a part of its results.
   *
   * @throws StowageError `SAVE_FAILED` where something is missing, which can be saved again then; `ABORTED`
   */
  async finish(options: CallOptions): Promise<void> {
    // Not after a try to close it: what its description names may be fixed then.
    if (this.#phase === 'open') this.#phase = 'ending';
    await this.settled(['artifacts', ...WRITTEN_AT_ONCE], options);
    const missing = [...this.#failed].filter(([subject, failure]) => !this.#isMadeGood(subject, failure));
    const [first] = missing;
    if (!first) return;
    if (this.#phase === 'ending') this.#phase = 'open';
    throw this.#saveFailed(
      missing.map(([subject]) => subject),
      first[1].error,
    );
  }

  /** From now on nothing more becomes part of the attempt. */
  stop(): void {
    if (this.#phase !== 'closed') this.#phase = 'closing';
  }

  /** The attempt is closed. */
  close(): void {
    this.#phase = 'closed';
  }

  /** Waits until all calls of these kinds have ended, well or not. */
  async settled(kinds: readonly Kind[], { signal }: CallOptions): Promise<void> {
    const calls = [...this.underWay].filter(({ kind }) => kinds.includes(kind));
    if (calls.length === 0) return;
    await orAborted(() => Promise.all(calls.map(({ ended }) => ended)), signal);
    // Those who awaited them have their turn: what they save next is told from what they never began.
    await nextTurn();
  }

  /** Tells of a `subject` that a call which has not ended is to save. */
  isUnderWay(subject: Subject): boolean {
    return [...this.underWay].some(({ subjects }) => subjects.has(subject));
  }

  /** Lets the attempt go on without what could not be saved. */
  forgo(subject: Subject): void {
    this.#failed.delete(subject);
  }

  /** Leaves the attempt incomplete; see {@link SaveCall.fail}. */
  noteFailure({ order, subjects, origins }: SaveCall, error: unknown): void {
    const untold = origins.length > 0 ? `what ${origins.join(', ')} has` : UNTOLD;
    for (const subject of subjects.size > 0 ? subjects : [untold]) {
      if ((this.#failed.get(subject)?.order ?? 0) < order)
        this.#failed.set(subject, { order, error, origins });
    }
    if (!this.isClosed) failBeforeProcessEnds(this.#attempt);
  }

  #isMadeGood(subject: Subject, { order, origins }: FailedSave): boolean {
    const isSavedSince = (what: string): boolean => (this.saved.get(what) ?? 0) > order;
    return isSavedSince(subject) || (origins.length > 0 && origins.every(isSavedSince));
  }

  #saveFailed(subjects: Subject[], error: unknown): StowageError {
    const { pathspec, path } = this.#attempt;
    const told = subjects.slice(0, MAX_TOLD).join(', ');
    const remedy = subjects.includes(UNTOLD)
      ? 'Nothing tells what that call was to save, so that no other can save it: close the attempt by fail().'
      : 'Save it again before done(), if only a value that says so, or close the attempt by fail().';
    const more = subjects.length > MAX_TOLD ? ` and ${subjects.length - MAX_TOLD} more` : '';
    return new StowageError(
      'SAVE_FAILED',
      `Attempt ${pathspec} of flow ${path.flow} cannot be done, because ${told}${more} could not be saved, nor was saved by a later call. ${remedy} Saving it failed by: ${messageOf(error)}`,
      { details: { flow: path.flow, pathspec, unsaved: subjects }, cause: error },
    );
  }
}

/** The names in what users pass by name; none in anything else. */
export function namesIn(values: unknown): string[] {
  if (typeof values !== 'object' || values === null) return [];
  return attempted(() => (Array.isArray(values) ? [] : Object.keys(values))) ?? [];
}
