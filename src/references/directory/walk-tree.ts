import {
  type Dirent,
  lstatSync,
  readdirSync,
  readFileSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs';
import { join, sep } from 'node:path';
import { isTurnOver, nextTurn } from '../../async/turns.ts';
import { invalidArgument, messageOf, throwIfAborted } from '../../errors.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { notFound, unreadable } from '../errors.ts';
import { checkCount, checkPath } from './entries.ts';
import { IgnoreRules } from './ignore-rules.ts';
import type { FileStats } from './stat-index.ts';

/** What is taken of a folder. */
export interface TreeOptions {
  /** Patterns as in `.gitignore`: only files that match one, or lie in a folder that does. Default: all. */
  include?: readonly string[] | undefined;
  /** Patterns as in `.gitignore` of what is left out, whatever ignore files say. Default: none. */
  exclude?: readonly string[] | undefined;
  /** The names of files with patterns of what is left out, in the folder and those below it. Default: `.stowageignore`. */
  ignoreFiles?: readonly string[] | undefined;
}

/** A file that was found, with what tells it from a later state of it. */
export interface FoundFile {
  path: string;
  stats: FileStats;
}

const DEFAULT_IGNORE_FILES = ['.stowageignore'];
/** Folders lie in each other so deep at most; a path has no room for more. */
const MAX_DEPTH = 1_024;

/** Paths that need no closer look, as nearly all: at most so long, and of these characters. */
const SHORT_PATH = 80;
const PLAIN_NAME = /^[A-Za-z0-9_-]{2}[A-Za-z0-9_/. -]*$/;

/** An ignore file, and the folder whose paths it is about. */
interface Scope {
  rules: IgnoreRules;
  /** The path of its folder, with a `/` at its end; empty for the root. */
  base: string;
}

/**
 * Finds the files below a folder, ascending by the bytes of their paths. Links to files and folders within it are followed. Empty folders
 * are nothing. Calls of the system are synchronous, which for many small answers takes a fifth of the time, in turns of a few milliseconds.
 *
 * @throws StowageError `REFERENCE_NOT_FOUND`, `REFERENCE_UNREADABLE` for pipes, sockets, devices and what may not be read;
 * `INVALID_ARGUMENT` for links that lead out of the folder or round in a circle; `INVALID_NAME` for names that not every system holds
 */
export async function walkTree(
  root: string,
  { include, exclude = [], ignoreFiles = DEFAULT_IGNORE_FILES }: TreeOptions,
  { signal }: CallOptions,
): Promise<FoundFile[]> {
  const walk = new Walk(root, include && new IgnoreRules(include), new IgnoreRules(exclude), ignoreFiles);
  for (const _ of walk.folder('', [], [])) {
    throwIfAborted(signal);
    await nextTurn();
  }
  // JavaScript compares UTF-16 units: those of characters beyond the first plane come before some that follow in UTF-8.
  const isPlain = walk.found.every(({ path }) => !/[\ud800-\uffff]/.test(path));
  const compare = isPlain
    ? (a: FoundFile, b: FoundFile): number => (a.path < b.path ? -1 : 1)
    : (a: FoundFile, b: FoundFile): number => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path));
  return walk.found.sort(compare);
}

class Walk {
  readonly found: FoundFile[] = [];
  readonly #root: string;
  readonly #real: string;
  readonly #include: IgnoreRules | undefined;
  readonly #exclude: IgnoreRules;
  readonly #ignoreFiles: readonly string[];

  constructor(
    root: string,
    include: IgnoreRules | undefined,
    exclude: IgnoreRules,
    ignoreFiles: readonly string[],
  ) {
    this.#root = root;
    this.#real = asked(root, () => realpathSync(root), 'folder');
    this.#include = include;
    this.#exclude = exclude;
    this.#ignoreFiles = ignoreFiles;
    if (!asked(root, () => statSync(root)).isDirectory())
      throw unreadable(root, 'it is no folder; a file is saved by files.fromLocal.');
  }

  /** Yields where others should have their turn. */
  *folder(base: string, scopes: readonly Scope[], links: readonly string[]): Generator<void> {
    // Not by `join`, which takes as long as to ask for the file.
    const folder = base === '' ? this.#root : `${this.#root}/${base.slice(0, -1)}`;
    const names = asked(folder, () => readdirSync(folder, { withFileTypes: true }));
    const inner = [...scopes, ...this.#scopesIn(base, names)];
    for (const entry of names) {
      if (isTurnOver()) yield;
      const path = base + entry.name;
      const full = `${folder}/${entry.name}`;
      const stats = entry.isDirectory() ? undefined : asked(full, () => lstatSync(full));
      const isLink = stats?.isSymbolicLink() ?? false;
      if (isLink && this.#isLeftOut(path, false, inner)) continue; // wherever it leads
      const target = isLink ? this.#targetOf(full, path) : undefined;
      const isFolder = target ? target.stats.isDirectory() : entry.isDirectory();
      if (this.#isLeftOut(path, isFolder, inner)) continue;
      if (isFolder) {
        if (
          links.length > MAX_DEPTH ||
          base.split('/').length > MAX_DEPTH ||
          links.includes(target?.real ?? '')
        )
          throw invalidArgument(`The link ${full} leads round in a circle; leave it out (exclude).`, {
            path,
          });
        yield* this.folder(`${path}/`, inner, target ? [...links, target.real] : links);
      } else this.#add(path, full, (target?.stats ?? stats) as Stats);
    }
  }

  #add(path: string, full: string, stats: Stats): void {
    if (this.#include && !this.#include.covers(path)) return;
    if (!stats.isFile())
      throw unreadable(full, 'it is a pipe, socket or device, not a file. Leave it out (exclude).');
    if (path.length > SHORT_PATH || !PLAIN_NAME.test(path)) checkPath(path);
    const { dev, ino, size, mtimeMs, ctimeMs, mode } = stats;
    this.found.push({ path, stats: { dev, ino, size, mtimeMs, ctimeMs, mode } });
    checkCount(this.found.length);
  }

  /** @throws StowageError `INVALID_ARGUMENT` where a link leads out of the folder, or to one that it lies in */
  #targetOf(full: string, path: string): { stats: Stats; real: string } {
    const real = asked(full, () => realpathSync(full));
    if (!real.startsWith(this.#real + sep)) {
      throw invalidArgument(
        `The link ${full} leads out of the folder, to ${real}, and is not followed. Leave it out (exclude), or copy what it leads to.`,
        { path },
      );
    }
    const folder = asked(full, () => realpathSync(join(full, '..')));
    if (folder === real || folder.startsWith(real + sep))
      throw invalidArgument(`The link ${full} leads round in a circle; leave it out (exclude).`, { path });
    return { stats: asked(full, () => statSync(full)), real };
  }

  #scopesIn(base: string, entries: readonly Dirent[]): Scope[] {
    return this.#ignoreFiles
      .filter((name) => entries.some((entry) => entry.name === name))
      .map((name) => {
        const file = join(this.#root, base, name);
        const text = asked(file, () => readFileSync(file, 'utf8'));
        return { rules: new IgnoreRules(text.replace(/^\ufeff/, '').split('\n')), base };
      });
  }

  #isLeftOut(path: string, isFolder: boolean, scopes: readonly Scope[]): boolean {
    if (this.#exclude.decide(path, isFolder) === true) return true;
    for (let index = scopes.length - 1; index >= 0; index--) {
      const { rules, base } = scopes[index] as Scope;
      const decided = rules.decide(path.slice(base.length), isFolder);
      if (decided !== undefined) return decided;
    }
    return false;
  }
}

function asked<T>(path: string, ask: () => T, what?: 'folder'): T {
  try {
    return ask();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw notFound(path, error, what);
    throw unreadable(path, `${messageOf(error)}.`, { systemCode: code }, error);
  }
}
