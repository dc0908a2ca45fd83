import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { messageOf, StowageError } from '../errors.ts';
import { clockMs } from './clock.ts';
import { delay } from './in-time.ts';
import { Room } from './room.ts';

/** The process, or the whole system, has as many files open as it may. */
const NONE_LEFT = ['EMFILE', 'ENFILE'];
/** Others are waited for so long, at first for a hundredth of a second. */
const PATIENCE_MS = 10_000;
const FIRST_MS = 10;
const MOST_MS = 250;
/** As many as a part of the package has files, and one more. */
const FILES_OF_A_PART = 4;

/** Opens a file. Where no more can be open, it waits for others to be closed, ten seconds at most. Throws what `open` throws, and `ABORTED`. */
export async function openPatiently<T>(opening: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const endsMs = clockMs() + PATIENCE_MS;
  for (let waitMs = FIRST_MS; ; waitMs = Math.min(2 * waitMs, MOST_MS)) {
    try {
      return await opening();
    } catch (error) {
      if (!isNoneLeft(error) || clockMs() + waitMs > endsMs) throw error;
    }
    await delay(waitMs, signal);
  }
}

/** So many files of the user's are read at once to be saved, and written: each stays open while the store opens others. */
const [readers, writers] = [new Room(8), new Room(8)];

/** What `open` gives, of a file that is open meanwhile: no more than eight are, and others wait. */
export async function* inTurn<T>(open: () => AsyncIterable<T>, signal?: AbortSignal): AsyncGenerator<T> {
  const leave = await readers.take(1, signal);
  try {
    yield* open();
  } finally {
    leave();
  }
}

/** Writes a file: no more than eight are written at once, and others wait. */
export async function writeInTurn(write: () => Promise<void>, signal?: AbortSignal): Promise<void> {
  const leave = await writers.take(1, signal);
  try {
    await write();
  } finally {
    leave();
  }
}

/**
 * Makes what loads a part of the package when it is first needed. Node.js never reads again what it could not read once, so that files are loaded when enough
 * of them can be opened, and else waited for as {@link openPatiently} does.
 *
 * @param load - imports one module, by a text as the bundler sees it
 * @returns what resolves to the module; throws `STORAGE_UNAVAILABLE` where no more files can be open
 */
export function onUse<T>(load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | undefined;
  const begin = async (): Promise<T> => {
    try {
      await untilFilesCanBeOpened();
      return await load();
    } catch (error) {
      loading = undefined;
      throw isNoneLeft(error) ? notLoaded(error) : error;
    }
  };
  return () => (loading ??= begin());
}

/**
 * Waits until as many files can be opened as a part of the package has.
 *
 * @throws StowageError `STORAGE_UNAVAILABLE` where they cannot in ten seconds
 */
export async function untilFilesCanBeOpened(): Promise<void> {
  try {
    await openPatiently(async () => tryFiles());
  } catch (error) {
    // Whatever else keeps a file from being read, its own reader says.
    if (isNoneLeft(error)) throw notLoaded(error);
  }
}

function tryFiles(): void {
  const own = fileURLToPath(import.meta.url);
  const opened: number[] = [];
  try {
    for (let count = 0; count < FILES_OF_A_PART; count++) opened.push(openSync(own, 'r'));
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
}

function isNoneLeft(error: unknown): boolean {
  return NONE_LEFT.includes((error as NodeJS.ErrnoException | null)?.code ?? '');
}

function notLoaded(cause: unknown): StowageError {
  return new StowageError(
    'STORAGE_UNAVAILABLE',
    `A part of Stowage could not be loaded: ${messageOf(cause)}. Have fewer files open, or raise the limit (ulimit -n); if it stays so, start the program anew.`,
    { cause },
  );
}
