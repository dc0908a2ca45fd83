import type { KindCounts } from './collection-result.ts';
import type { CollectorLog, LogVersion } from './collector-log.ts';
import { type MarkedSessions, SILENT_AFTER_MS } from './mark-sessions.ts';
import { lineOf, type Marks, refOfLine } from './marks.ts';
import { Cursor, SortedLines, union, type WorkFolder } from './sorted-lines.ts';
import type { UnsharedObjects } from './unshared-objects.ts';

const MAX_CONDEMNED = 1_000_000;
/** So many names that are not confirmed gone are held in memory, to supersede no copy by them; nothing is superseded where there are more. */
const MAX_HELD = 100_000;

/** The entries that a collection proposes to condemn (model: `propose`): what it found, as far as one collection goes, and what is carried. */
export class Proposal {
  /** Lines of the entries. */
  readonly entries: SortedLines;
  /** The kinds of what was found. */
  readonly counts: KindCounts = { copies: 0, packs: 0, plain: 0 };
  /** More was found than one collection condemns. */
  readonly more: boolean;
  readonly #folder: WorkFolder;

  /** @param maxCondemned the most entries that are taken of what was found. Default 1,000,000 */
  constructor(
    folder: WorkFolder,
    found: readonly SortedLines[],
    carried: SortedLines,
    maxCondemned: number = MAX_CONDEMNED,
  ) {
    this.#folder = folder;
    this.entries = new SortedLines(folder);
    let names = 0;
    let more = false;
    for (const line of union(...found)) {
      more = names >= maxCondemned;
      if (more) break;
      names += 1;
      this.entries.add(line);
      const { kind } = refOfLine(line);
      if (kind === 'copy') this.counts.copies += 1;
      else if (kind === 'pack') this.counts.packs += 1;
      else this.counts.plain += 1;
    }
    this.more = more;
    for (const line of carried.sorted()) this.entries.add(line);
  }

  /** Spares what no reason is left for (model: `judge`); what any of them has stays condemned. */
  judge(reasons: readonly SortedLines[]): { final: SortedLines; spared: number } {
    const final = new SortedLines(this.#folder);
    let spared = 0;
    const stays = new Cursor(union(...reasons));
    try {
      for (const line of this.entries.sorted()) {
        if (stays.has(line)) final.add(line);
        else spared += 1;
      }
    } finally {
      stays.close();
    }
    return { final, spared };
  }
}

/** Lines of what the latest idle version condemns: it was not confirmed gone, and stays condemned until it is (model: `carry`). */
export async function carriedOver(
  log: CollectorLog,
  newest: LogVersion,
  folder: WorkFolder,
): Promise<SortedLines> {
  const carried = new SortedLines(folder);
  const idle = await log.latestIdle(newest);
  for await (const entry of log.entriesOf(idle, newest.version)) carried.add(lineOf(entry));
  return carried;
}

/** The lines of what is carried, in memory; `undefined` where they are too many. */
export function heldInMemory(carried: SortedLines): ReadonlySet<string> | undefined {
  const held = new Set<string>();
  for (const line of carried.sorted()) {
    if (held.size >= MAX_HELD) return undefined;
    held.add(line);
  }
  return held;
}

/** What a first mark found that may call for a version. */
export interface Findings {
  proposal: Proposal;
  /** Values whose attempt has no file: their age is told by the proposal. */
  unowned: SortedLines;
  first: Marks;
  seen: MarkedSessions;
  unshared: UnsharedObjects;
}

/**
 * A version is written only where one has something to say.
 *
 * @param nowMs the time, in milliseconds since 1970. Default: this machine's
 */
export async function hasToPropose(
  { proposal, unowned, first, seen, unshared }: Findings,
  nowMs: number = Date.now(),
): Promise<boolean> {
  if (!proposal.entries.isEmpty || !unowned.isEmpty) return true;
  // Whoever opened it may have died: the store's clock, which decides, is told by the proposal.
  if (nowMs - seen.oldestOpenMs >= SILENT_AFTER_MS) return true;
  return unshared.hasPinsOfClosed([first]);
}
