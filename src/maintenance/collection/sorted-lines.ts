import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compareNames } from '../../storage/name-order.ts';
import { linesOf } from '../../streams/file-lines.ts';
import { outOfOrder } from './impossible-listings.ts';

/** So many lines, and characters of them, are kept in memory; more go to disk, sorted. A collection has a dozen such sets. */
const MAX_LINES = 50_000;
const MAX_CHARACTERS = 4 * 1024 * 1024;
/** So many files are merged at a time, each with one piece of it in memory. */
const MAX_MERGED = 16;
/** Lines are written so many bytes at a time. */
const WRITE_BYTES = 64 * 1024;

/** A folder for the files of one collection, which nobody else may look into. It is made when it is needed. */
export class WorkFolder {
  #path: string | undefined;
  #files = 0;

  /** The path of a file that is not there yet. */
  nextFile(): string {
    this.#path ??= mkdtempSync(join(tmpdir(), 'stowage-collection-'));
    return join(this.#path, String(this.#files++));
  }

  /** Removes all files. */
  remove(): void {
    if (this.#path !== undefined) rmSync(this.#path, { recursive: true, force: true });
    this.#path = undefined;
  }
}

interface Run {
  path: string;
  /** The number of merges that it came through. */
  level: number;
}

/**
 * A set of lines that comes back in the order of storage names, whatever order it was added in, and however many there are: 50,000 of
 * them, or 4 MiB, in memory, the others in sorted files, which are merged by 16.
 */
export class SortedLines {
  readonly #folder: WorkFolder;
  readonly #maxLines: number;
  #lines: string[] = [];
  #characters = 0;
  #runs: Run[] = [];

  constructor(folder: WorkFolder, { maxLines = MAX_LINES }: { maxLines?: number } = {}) {
    this.#folder = folder;
    this.#maxLines = maxLines;
  }

  /** Adds a line, which has no line end in it. */
  add(line: string): void {
    this.#lines.push(line);
    this.#characters += line.length;
    if (this.#lines.length >= this.#maxLines || this.#characters >= MAX_CHARACTERS) this.#flush();
  }

  /** True if nothing was added. */
  get isEmpty(): boolean {
    return this.#lines.length === 0 && this.#runs.length === 0;
  }

  /** What was added until now, ascending, each line once. */
  sorted(): Generator<string, void> {
    this.#lines.sort(compareNames);
    return merged([...this.#runs.map(({ path }) => linesAt(path)), this.#lines.slice()[Symbol.iterator]()]);
  }

  #flush(): void {
    this.#lines.sort(compareNames);
    this.#runs.push(this.#write(this.#lines, 0));
    [this.#lines, this.#characters] = [[], 0];
    for (let level = 0; ; level++) {
      const full = this.#runs.filter((run) => run.level === level);
      if (full.length < MAX_MERGED) return;
      const whole = this.#write(merged(full.map(({ path }) => linesAt(path))), level + 1);
      this.#runs = [...this.#runs.filter((run) => !full.includes(run)), whole];
      // The merged files stay until the end: somebody may be reading them.
    }
  }

  #write(lines: Iterable<string>, level: number): Run {
    const path = this.#folder.nextFile();
    const fd = openSync(path, 'wx', 0o600);
    try {
      let piece: string[] = [];
      let bytes = 0;
      for (const line of lines) {
        piece.push(line, '\n');
        bytes += line.length;
        if (bytes < WRITE_BYTES) continue;
        writeAll(fd, piece.join(''));
        [piece, bytes] = [[], 0];
      }
      writeAll(fd, piece.join(''));
    } finally {
      closeSync(fd);
    }
    return { path, level };
  }
}

export function countOf(lines: Iterable<string>): number {
  let count = 0;
  for (const _line of lines) count += 1;
  return count;
}

/** All lines of several sets, ascending, each once. */
export function union(...sets: readonly SortedLines[]): Generator<string, void> {
  return merged(sets.map((set) => set.sorted()));
}

/**
 * Tells of one line after the other, asked for in ascending order, whether it is among sorted lines. Who asks goes by a listing, and would
 * take for dead what that lists too late.
 */
export class Cursor {
  readonly #lines: Iterator<string>;
  #line: string | undefined;
  #asked = '';

  constructor(lines: Iterable<string>) {
    this.#lines = lines[Symbol.iterator]();
    this.#next();
  }

  /** @throws StowageError `STORAGE_FAILED` where lines are asked for out of order */
  has(line: string): boolean {
    if (compareNames(line, this.#asked) < 0) throw outOfOrder(line, this.#asked);
    this.#asked = line;
    while (this.#line !== undefined && compareNames(this.#line, line) < 0) this.#next();
    return this.#line === line;
  }

  /** Frees what the lines are read from; the last ones need not have been asked for. */
  close(): void {
    this.#lines.return?.();
  }

  #next(): void {
    const next = this.#lines.next();
    this.#line = next.done ? undefined : next.value;
  }
}

function* merged(sources: readonly Iterator<string>[]): Generator<string, void> {
  const heads: { line: string; source: Iterator<string> }[] = [];
  try {
    for (const source of sources) {
      const { done, value } = source.next();
      if (!done) heads.push({ line: value, source });
    }
    let last: string | undefined;
    while (heads.length > 0) {
      let first = 0;
      for (let i = 1; i < heads.length; i++) {
        if (compareNames(at(heads, i).line, at(heads, first).line) < 0) first = i;
      }
      const head = at(heads, first);
      if (head.line !== last) yield head.line;
      last = head.line;
      const { done, value } = head.source.next();
      if (done) heads.splice(first, 1);
      else head.line = value;
    }
  } finally {
    for (const source of sources) source.return?.();
  }
}

function at<T>(items: readonly T[], index: number): T {
  return items[index] as T;
}

function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
}

function* linesAt(path: string): Generator<string, void> {
  const fd = openSync(path, 'r');
  try {
    yield* linesOf(fd);
  } finally {
    closeSync(fd);
  }
}
