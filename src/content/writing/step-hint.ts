import { channel } from 'node:diagnostics_channel';
import { clearTimeout, setTimeout } from 'node:timers';
import { SingleFlight } from '../../async/single-flight.ts';
import { isStowageError, throwIfAborted } from '../../errors.ts';
import {
  decodeHint,
  encodeHint,
  fingerprintsOf,
  type HintedManifest,
  type HintSubject,
  hintName,
  MAX_HINT_BYTES,
} from '../../format/hint.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';

/** A message of the channel `stowage:hint-failed`: near-equal content may be stored anew, and that is all. */
export interface HintFailure {
  operation: 'read' | 'write';
  name: string;
  uri: string;
  error: unknown;
}

const hintFailed = channel('stowage:hint-failed');

/** A hint is read, and written, once in so long at most by one process, in milliseconds. */
export const HINT_EVERY_MS = 10_000;
/** Writing one takes so long at most. */
const MOST_MS = 10_000;
/** A hint that others replace meanwhile is merged anew so often; then the last writer wins. */
const MERGES = 3;
/** So much is kept of what is yet to be written. */
const [MOST_FRESH, MOST_FRESH_BYTES] = [1024, 4 * 1024 * 1024];

/** A group of a manifest that may hold a chunk. */
export interface Candidate {
  copy: string;
  place: string;
  group: number;
}

/** The hint as it was read last. */
interface View {
  /** `undefined` where there is no object; `unknown` where it has to be read before it can be replaced. */
  version: string | undefined | 'unknown';
  manifests: readonly HintedManifest[];
  /** By fingerprint, newest first. */
  candidates: ReadonlyMap<number, readonly Candidate[]>;
  /** A newer Stowage wrote it, for its own to read: it stays. */
  isNewer: boolean;
}

const NOTHING: View = { version: 'unknown', manifests: [], candidates: new Map(), isNewer: false };
const NOBODY: readonly Candidate[] = [];

/**
 * The hint of one step, `hints/<flow>/<step>.json`, as one process reads and writes it: which manifests were written last, by whomever, and
 * chunks by which one learns that a manifest is worth reading. It is data to be checked: nothing is relied on because it says so.
 * It fails no call: what goes wrong with it is told by the channel `stowage:hint-failed`.
 */
export class StepHint {
  readonly #storage: DataStoreStorage;
  readonly #subject: HintSubject;
  readonly #nowMs: () => number;
  readonly #flights = new SingleFlight<void>();
  #view = NOTHING;
  #readAtMs = Number.NEGATIVE_INFINITY;
  #writtenAtMs = Number.NEGATIVE_INFINITY;
  /** Manifests of this process that the object does not name yet, newest first. */
  #fresh: HintedManifest[] = [];
  /** Copies that were found gone, or to be of no use. */
  readonly #useless = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  /** @param nowMs - a clock that never goes back */
  constructor(
    storage: DataStoreStorage,
    subject: HintSubject,
    nowMs: () => number = () => performance.now(),
  ) {
    this.#storage = storage;
    this.#subject = subject;
    this.#nowMs = nowMs;
  }

  /**
   * Reads the hint, unless that was done just now.
   *
   * @throws StowageError `ABORTED`
   */
  async refresh({ signal }: CallOptions): Promise<void> {
    if (this.#nowMs() - this.#readAtMs < HINT_EVERY_MS) return;
    await this.#flights.run('read', (flight) => this.#read({ signal: flight.signal }), { signal });
  }

  /** The groups of manifests that may hold a chunk, newest first. */
  candidates(fingerprint: number): readonly Candidate[] {
    return this.#view.candidates.get(fingerprint) ?? NOBODY;
  }

  /** Leaves out a copy from now on, which is gone, or whose packs are. */
  forget(copy: string): void {
    this.#useless.add(copy);
  }

  isForgotten(copy: string): boolean {
    return this.#useless.has(copy);
  }

  /** Tells that what the hint led to could not be read. */
  report(error: unknown): void {
    this.#publish('read', error);
  }

  /**
   * Tells others of manifests that are written, and whose attempt is closed, newest first: at once, or, where this process has written the
   * hint just now, a little later. Never throws.
   */
  async tell(manifests: readonly HintedManifest[]): Promise<void> {
    if (manifests.length === 0) return;
    this.#fresh = bounded([...manifests, ...this.#fresh]);
    const dueInMs = this.#writtenAtMs + HINT_EVERY_MS - this.#nowMs();
    if (dueInMs <= 0) return this.flush();
    this.#timer ??= setTimeout(() => void this.flush(), dueInMs).unref();
  }

  /** Writes what is yet to be written. Never throws. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const fresh = this.#fresh;
    if (fresh.length === 0) return;
    this.#fresh = [];
    this.#writtenAtMs = this.#nowMs();
    let isOver = false;
    try {
      isOver = await this.#write(fresh, { signal: AbortSignal.timeout(MOST_MS) });
    } catch (error) {
      this.#publish('write', error);
    }
    if (!isOver) this.#fresh = bounded([...this.#fresh, ...fresh]);
  }

  /** Never throws but for an abort. */
  async #read({ signal }: CallOptions): Promise<void> {
    let view = NOTHING;
    try {
      // One that is too large is read so far that this shows, since it has to be replaced.
      const range = { offset: 0, length: MAX_HINT_BYTES + 1 };
      const object = await this.#storage.get(this.#name, { signal, range });
      view = object ? this.#viewOf(object.body, object.version) : { ...NOTHING, version: undefined };
    } catch (error) {
      throwIfAborted(signal);
      this.#publish('read', error);
    }
    this.#view = view;
    this.#readAtMs = this.#nowMs();
  }

  #viewOf(body: Uint8Array, version: string): View {
    try {
      const manifests = decodeHint(body, this.#storage.uri(this.#name), this.#subject);
      return { version, manifests, candidates: candidatesOf(manifests), isNewer: false };
    } catch (error) {
      this.#publish('read', error);
      return { ...NOTHING, version, isNewer: isStowageError(error, 'UNSUPPORTED_FORMAT') };
    }
  }

  /** Adds to what others have written meanwhile, if that can be told. `false` where it cannot be read what there is. */
  async #write(fresh: readonly HintedManifest[], options: CallOptions): Promise<boolean> {
    for (let tries = 0; ; tries++) {
      if (tries > 0 || this.#view.version === 'unknown') await this.#read(options);
      const { version, isNewer } = this.#view;
      if (isNewer) return true;
      if (version === 'unknown') return false;
      const named = new Map([...fresh, ...this.#view.manifests].map((manifest) => [manifest.copy, manifest]));
      for (const copy of this.#useless) named.delete(copy);
      const manifests = [...named.values()];
      const written = await this.#replace(encodeHint(this.#subject, manifests), version, tries, options);
      if (written === undefined) continue;
      this.#view = { ...this.#view, version: written, manifests };
      return true;
    }
  }

  /** Its version; `undefined` where somebody else replaced it meanwhile. */
  async #replace(
    body: Uint8Array,
    before: string | undefined,
    tries: number,
    options: CallOptions,
  ): Promise<string | undefined> {
    const storage = this.#storage;
    if (tries === MERGES) return storage.overwrite(this.#name, body, options);
    if (before === undefined) {
      const isOurs = await storage.create(this.#name, body, { durability: 'deferred', ...options });
      return isOurs ? 'unknown' : undefined;
    }
    const ifMatch = storage.capabilities.ifMatch ? before : undefined;
    try {
      return await storage.overwrite(this.#name, body, { ...options, ifMatch });
    } catch (error) {
      if (isStowageError(error, 'PRECONDITION_FAILED')) return undefined;
      throw error;
    }
  }

  get #name(): string {
    return hintName(this.#subject);
  }

  #publish(operation: HintFailure['operation'], error: unknown): void {
    const failure: HintFailure = { operation, name: this.#name, uri: this.#storage.uri(this.#name), error };
    hintFailed.publish(failure);
  }
}

function candidatesOf(manifests: readonly HintedManifest[]): Map<number, readonly Candidate[]> {
  const candidates = new Map<number, readonly Candidate[]>();
  for (const { copy, place, samples } of manifests) {
    for (const [group, sample] of samples.entries()) {
      const alone = [{ copy, place, group }];
      for (const fingerprint of fingerprintsOf(sample)) {
        const newer = candidates.get(fingerprint);
        candidates.set(fingerprint, newer ? [...newer, ...alone] : alone);
      }
    }
  }
  return candidates;
}

/** The newest of them, as far as memory may go. */
function bounded(manifests: readonly HintedManifest[]): HintedManifest[] {
  let bytes = 0;
  return manifests.slice(0, MOST_FRESH).filter(({ samples }) => {
    for (const sample of samples) bytes += sample.length;
    return bytes <= MOST_FRESH_BYTES;
  });
}
