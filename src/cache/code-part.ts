import { createReadStream, statSync } from 'node:fs';
import { createHasher } from '../digest/blake3.ts';
import { throwIfAborted } from '../errors.ts';

/** Something that code depends on, by a digest that may change while the process runs. */
export interface CodePart {
  /** The digest as it is now, where nothing has to be read for it. */
  known(): string | undefined;
  /** The digest as it is now. */
  read(signal?: AbortSignal): Promise<string>;
}

const CODE_PART: unique symbol = Symbol.for('stowage.codePart') as never;

/** Has a function count by `part` where code depends on it, not by its source: a wrapper's is the same whatever it wraps. */
export function countBy<Fn extends object>(fn: Fn, part: CodePart): Fn {
  return Object.defineProperty(fn, CODE_PART, { value: part });
}

/** The key part by which a function says that it counts. */
export function codePartOf(fn: object): CodePart | undefined {
  return (fn as { [CODE_PART]?: CodePart })[CODE_PART];
}

/** A file may change again so soon after a change without its times telling, as the clocks of systems and file systems are coarse. */
const UNSETTLED_MS = 100;
/** As above, where times are whole seconds (FAT counts in twos). */
const UNSETTLED_COARSE_MS = 3_000;
const MAX_READS = 5;

/** Marks that tell that a file was changed, without reading it. */
interface Stamp {
  readonly text: string;
  readonly changedMs: number;
  readonly isCoarse: boolean;
}

/**
 * A file that code depends on, by the digest of its bytes: read anew when its size, times or identity are others than they were. What was
 * changed a moment before it was read is read again, since another change might not show.
 *
 * Throws the errors of the file system as they are.
 */
export class FilePart implements CodePart {
  readonly #path: string;
  readonly #nowMs: () => number;
  #known: { stamp: string; digest: string } | undefined;
  #reading: Promise<string> | undefined;

  /** @param nowMs - the clock by which changes are recent. Default `Date.now`. */
  constructor(path: string, nowMs: () => number = Date.now) {
    this.#path = path;
    this.#nowMs = nowMs;
  }

  known(): string | undefined {
    const { digest, stamp } = this.#known ?? {};
    if (stamp === undefined) return undefined;
    try {
      return stampOf(this.#path).text === stamp ? digest : undefined;
    } catch {
      return undefined; // reading tells why
    }
  }

  /** Calls without a signal share what is being read: it ends with a look at the file, which is later than their beginning. */
  read(signal?: AbortSignal): Promise<string> {
    if (signal) return this.#read(signal);
    this.#reading ??= this.#read(undefined).finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(signal: AbortSignal | undefined): Promise<string> {
    for (let reads = 0; reads < MAX_READS; reads++) {
      const before = stampOf(this.#path);
      const readAtMs = this.#nowMs();
      const digest = await digestOf(this.#path, signal);
      if (stampOf(this.#path).text !== before.text) continue;
      const unsettledMs = before.isCoarse ? UNSETTLED_COARSE_MS : UNSETTLED_MS;
      const isSettled = readAtMs - before.changedMs > unsettledMs;
      this.#known = isSettled ? { stamp: before.text, digest } : undefined;
      return digest;
    }
    throw new Error('it was changed each time while it was read');
  }
}

function stampOf(path: string): Stamp {
  const stats = statSync(path, { bigint: true });
  // To open a pipe waits for somebody who writes to it, maybe for ever.
  if (!stats.isFile()) throw new Error(`${path} is a folder, pipe or device, not a file`);
  const { dev, ino, size, mtimeNs, ctimeNs } = stats;
  return {
    text: [dev, ino, size, mtimeNs, ctimeNs].join(' '),
    changedMs: Math.max(Number(mtimeNs), Number(ctimeNs)) / 1e6,
    isCoarse: mtimeNs % 1_000_000_000n === 0n && ctimeNs % 1_000_000_000n === 0n,
  };
}

async function digestOf(path: string, signal: AbortSignal | undefined): Promise<string> {
  const hasher = createHasher();
  for await (const bytes of createReadStream(path)) {
    throwIfAborted(signal);
    hasher.update(bytes as Buffer);
  }
  return hasher.digestHex();
}
