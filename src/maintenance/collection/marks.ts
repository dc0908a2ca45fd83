import type { ContentRef } from '../../format/content-ref.ts';
import { Cursor, SortedLines, union, type WorkFolder } from './sorted-lines.ts';

/**
 * What one reading of all sessions and copies found, on disk as far as it is much. A re-mark adds to what the first mark found: only what
 * the first one found dead is in question, so that whatever was alive then need not be looked at again.
 */
export class Marks {
  /** Keys, packs and plain objects that live: {@link lineOf}. */
  readonly live: SortedLines;
  /** Sessions that are open. */
  readonly open: SortedLines;
  /** Sessions whose DONE was seen. */
  readonly closed: SortedLines;
  /** Closed sessions whose description was read: base and revision. They never change. */
  readonly read: SortedLines;
  /** Attempts of tasks and how far they got: `attemptLine`. */
  readonly attempts: SortedLines;
  /** Traces and checkpoints that were read, by name. They never change. */
  readonly partial: SortedLines;
  /** Manifests and locators that live and were read: place and name. They never change. */
  readonly described: SortedLines;

  constructor(folder: WorkFolder) {
    this.live = new SortedLines(folder);
    this.open = new SortedLines(folder);
    this.closed = new SortedLines(folder);
    this.read = new SortedLines(folder);
    this.attempts = new SortedLines(folder);
    this.partial = new SortedLines(folder);
    this.described = new SortedLines(folder);
  }

  keep(ref: ContentRef): void {
    // No object has a name with a line end or a tab in it, so that what names one keeps nothing.
    if (!/[\t\n]/.test(ref.place + ref.name)) this.live.add(lineOf(ref));
  }
}

/** The same lines of several marks, ascending. */
export function allOf(marks: readonly Marks[], what: keyof Omit<Marks, 'keep'>): Generator<string, void> {
  return union(...marks.map((mark) => mark[what]));
}

/** A line for an entry; those of one place and kind lie together, in the order of names. */
export function lineOf({ place, kind, name }: ContentRef): string {
  return `${place}\t${kind}\t${name}`;
}

/** A line for an entry and its bytes; {@link bytesOf} adds them up. */
export function sizeLine(ref: ContentRef, bytes: number): string {
  return `${lineOf(ref)}\t${bytes}`;
}

/** The bytes of those entries whose size is known. */
export function bytesOf(entries: SortedLines, sizes: SortedLines): number {
  const wanted = new Cursor(entries.sorted());
  let bytes = 0;
  try {
    for (const line of sizes.sorted()) {
      const end = line.lastIndexOf('\t');
      if (wanted.has(line.slice(0, end))) bytes += Number(line.slice(end + 1));
    }
  } finally {
    wanted.close();
  }
  return bytes;
}

export function refOfLine(line: string): ContentRef {
  const [place = '', kind, name = ''] = line.split('\t');
  return { place, kind: kind as ContentRef['kind'], name };
}

export function* entriesOf(lines: SortedLines): Generator<ContentRef, void> {
  for (const line of lines.sorted()) yield refOfLine(line);
}
