import type { ContentReader } from '../../content/reading/content-reader.ts';
import { manifestBytes } from '../../content/writing/repacked-content.ts';
import type { ChunkColumns, Manifest } from '../../format/manifest.ts';
import type { CallOptions } from '../../storage/contract.ts';
import type { Rewrite } from './collection-options.ts';
import { SortedLines, type WorkFolder } from './sorted-lines.ts';

/** A pack of which much is dead, and the copies that name it. */
export interface SparsePack {
  readonly place: string;
  readonly name: string;
  readonly bytes: number;
  /** What live copies name of it, each byte once. */
  readonly liveBytes: number;
  /** Names of copies, each with what its manifest takes up. */
  readonly copies: ReadonlyMap<string, number>;
}

/** Of a pack its name, its length, and what a copy names of it: begin and end of each stretch. */
type PackStretches = readonly [name: string, bytes: number, stretches: (readonly [number, number])[]];

/** What a copy names of its packs, and what its manifest takes up. */
export interface CopyStretches {
  readonly ownBytes: number;
  readonly packs: readonly PackStretches[];
}

/** So many packs, and copies that name them, are rewritten by one collection at most, since they are held in memory; the others wait for the next. */
const MAX_REWRITTEN = 10_000;
/** Digits of an offset in a pack. */
const OFFSET_DIGITS = 8;

/**
 * Counts what live copies name of each pack, on disk, and finds those of which a share is dead. A pack goes once no copy names it, so that it is
 * worth rewriting where what live copies name of it, and their manifests, take up less than it does.
 */
export class SparsePacks {
  readonly #folder: WorkFolder;
  readonly #deadShare: number;
  readonly #maxBytes: number;
  readonly #only: Rewrite['only'];
  /** Of each stretch of a pack that a copy names: place, pack, begin, end, the pack's length, the manifest's, the copy. */
  readonly #stretches: SortedLines;

  /** Finds packs of which more than `deadShare` is dead, as many as can be rewritten by writing `maxBytes`. */
  constructor(folder: WorkFolder, { deadShare, maxBytes, only }: Rewrite) {
    this.#folder = folder;
    this.#deadShare = deadShare;
    this.#maxBytes = maxBytes;
    this.#only = only;
    this.#stretches = new SortedLines(folder);
  }

  /** Notes what a copy that lives names of its packs. */
  note(place: string, copy: string, { ownBytes, packs }: CopyStretches): void {
    for (const [name, bytes, stretches] of packs) {
      for (const [begin, end] of stretches) {
        const [from, to] = [begin, end].map((offset) => String(offset).padStart(OFFSET_DIGITS, '0'));
        this.#stretches.add(`${place}\t${name}\t${from}\t${to}\t${bytes}\t${ownBytes}\t${copy}`);
      }
    }
  }

  /**
   * The packs that are worth rewriting, those that free most for what is written first, as many as one collection rewrites; `more` where
   * others are left for the next one.
   */
  choose(): { packs: SparsePack[]; more: boolean } {
    const byShare = new SortedLines(this.#folder);
    for (const pack of this.#packs()) {
      const { bytes, liveBytes, copies } = pack;
      if (!this.#isToGo(pack)) continue;
      const share = (liveBytes / bytes).toFixed(6);
      byShare.add(`${share}\t${JSON.stringify({ ...pack, copies: [...copies] })}`);
    }
    const packs: SparsePack[] = [];
    const chosen = new Set<string>();
    let written = 0;
    for (const line of byShare.sorted()) {
      const { copies, ...pack } = JSON.parse(line.slice(line.indexOf('\t') + 1));
      const next: SparsePack = { ...pack, copies: new Map(copies) };
      const more = written + writtenFor(next, chosen);
      if (more > this.#maxBytes || packs.length >= MAX_REWRITTEN || chosen.size >= MAX_REWRITTEN)
        return { packs, more: true };
      written = more;
      packs.push(next);
      for (const copy of next.copies.keys()) chosen.add(copy);
    }
    return { packs, more: false };
  }

  #isToGo(pack: SparsePack): boolean {
    const { place, name, bytes, liveBytes } = pack;
    if (this.#only) return liveBytes < bytes && this.#only(place, name);
    return bytes - liveBytes > this.#deadShare * bytes && writtenFor(pack, new Set()) < bytes;
  }

  *#packs(): Generator<SparsePack, void> {
    let current: (SparsePack & { liveBytes: number; copies: Map<string, number> }) | undefined;
    let counted = 0;
    for (const line of this.#stretches.sorted()) {
      const [place = '', name = '', begin, end, bytes, ownBytes, copy = ''] = line.split('\t');
      if (current?.place !== place || current.name !== name) {
        if (current) yield current;
        current = { place, name, bytes: Number(bytes), liveBytes: 0, copies: new Map() };
        counted = 0;
      }
      current.liveBytes += Math.max(0, Number(end) - Math.max(counted, Number(begin)));
      counted = Math.max(counted, Number(end));
      // So many manifests are more than they could free.
      if (current.copies.size <= MAX_REWRITTEN) current.copies.set(copy, Number(ownBytes));
    }
    if (current) yield current;
  }
}

/** What rewriting a pack writes: its live chunks once, and manifests of copies that are not rewritten for another pack. */
export function writtenFor({ liveBytes, copies }: SparsePack, others: ReadonlySet<string>): number {
  let bytes = liveBytes;
  for (const [copy, ownBytes] of copies) if (!others.has(copy)) bytes += ownBytes;
  return bytes;
}

/** What a copy names of its packs. */
export async function stretchesOf(
  reader: ContentReader,
  copy: string,
  manifest: Manifest,
  options: CallOptions,
): Promise<CopyStretches> {
  const packs = manifest.packs.map(({ name, bytes }): PackStretches => [name, bytes, []]);
  const add = (pack: number, begin: number, end: number): void => {
    packs[pack]?.[2].push([begin, end]);
  };
  for (const [index, { at }] of manifest.groups.entries()) {
    if (at) add(at.pack, at.offset, at.offset + at.storedBytes);
    const columns = await reader.columnsOf(copy, manifest, index, options);
    for (const { pack, begin, end } of stretchesIn(columns)) add(pack, begin, end);
  }
  return { ownBytes: manifestBytes(copy, manifest), packs };
}

/** Stretches of packs that a group names: neighbours are one. */
function* stretchesIn({
  packs,
  offsets,
  storedBytes,
}: ChunkColumns): Generator<{ pack: number; begin: number; end: number }, void> {
  const open = new Map<number, { begin: number; end: number }>();
  for (const [i, pack] of packs.entries()) {
    const begin = offsets[i] as number;
    const end = begin + (storedBytes[i] as number);
    const last = open.get(pack);
    if (last?.end === begin) last.end = end;
    else {
      if (last) yield { pack, ...last };
      open.set(pack, { begin, end });
    }
  }
  for (const [pack, stretch] of open) yield { pack, ...stretch };
}
