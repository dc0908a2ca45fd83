import { randomBytes } from 'node:crypto';
import { appendFile, lstat, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { CliError } from '../cli-error.ts';
import { cannotWrite } from './write-errors.ts';

/**
 * Lets `work` write a folder. Until that has ended, the files lie in a folder beside it, or within it where it is there already, and empty;
 * whatever goes wrong, nothing of them is left.
 *
 * @throws CliError `OUTPUT_FAILED`, before `work` where the folder is not empty, is none, or cannot be made
 */
export async function toNewFolder<T>(given: string, work: (folder: NewFolder) => Promise<T>): Promise<T> {
  const path = resolve(given);
  const part = `.stowage-${randomBytes(4).toString('hex')}.part`;
  const isThere = await describe(given, async () => {
    const names = await namesIn(path);
    if (names && names.length > 0) throw notEmpty(given);
    return names !== undefined;
  });
  const unfinished = join(isThere ? path : dirname(path), part);
  await describe(given, () => mkdir(unfinished));
  try {
    const result = await work(new NewFolder(given, unfinished));
    await describe(given, () => (isThere ? moveUp(part, path) : rename(unfinished, path)));
    return result;
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** A folder that is written. Paths are below it, and have one folder before their names at most. */
export class NewFolder {
  readonly #given: string;
  readonly #path: string;
  readonly #folders = new Map<string, Promise<unknown>>();
  readonly #appended = new Set<string>();
  #files = 0;
  #bytes = 0;

  constructor(given: string, path: string) {
    this.#given = given;
    this.#path = path;
  }

  /** The number of files that were written. */
  get files(): number {
    return this.#files + this.#appended.size;
  }

  /** The bytes of all files together. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Writes a file that is not there yet. */
  async write(path: string, content: string | Uint8Array): Promise<void> {
    await this.#put(path, content, (target) => writeFile(target, content, { flag: 'wx' }));
    this.#files += 1;
  }

  /** Writes behind what the file has, and makes it where it is not there yet. */
  async append(path: string, text: string): Promise<void> {
    await this.#put(path, text, (target) => appendFile(target, text));
    this.#appended.add(path);
  }

  async #put(
    path: string,
    content: string | Uint8Array,
    write: (target: string) => Promise<void>,
  ): Promise<void> {
    await describe(this.#given, async () => {
      const folder = dirname(join(this.#path, path));
      if (folder !== this.#path) await this.#ensureFolder(folder);
      await write(join(this.#path, path));
    });
    this.#bytes += Buffer.byteLength(content);
  }

  #ensureFolder(folder: string): Promise<unknown> {
    const making = this.#folders.get(folder) ?? mkdir(folder);
    this.#folders.set(folder, making);
    return making;
  }
}

/** The names in a folder; `undefined` where there is none. */
async function namesIn(path: string): Promise<string[] | undefined> {
  try {
    return await readdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    const isThere = await lstat(path).then(
      () => true,
      () => false,
    );
    if (isThere) throw new Error('it is no folder', { cause: error });
    return undefined;
  }
}

/** Moves what is in a folder to the one that it is in, which has nothing else. */
async function moveUp(name: string, path: string): Promise<void> {
  if ((await readdir(path)).length > 1) throw notEmpty(path);
  const moved: string[] = [];
  try {
    for (const one of await readdir(join(path, name))) {
      await rename(join(path, name, one), join(path, one));
      moved.push(join(path, one));
    }
  } catch (error) {
    for (const one of moved) await rm(one, { recursive: true, force: true });
    throw error;
  }
}

function notEmpty(path: string): CliError {
  const message = `${path} is not empty, and nothing was written. Name a folder that is empty, or that does not exist yet.`;
  return new CliError('OUTPUT_FAILED', message, { details: { path } });
}

/** Names the folder in every error of it. */
async function describe<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CliError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw code === 'ENOTEMPTY' || code === 'EEXIST' ? notEmpty(path) : cannotWrite(path, error);
  }
}
