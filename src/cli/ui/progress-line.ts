import type { Progress } from '../../async/progress.ts';
import { formatBytes, formatCount, formatDuration } from '../../options/figures.ts';
import { type Paint, plain } from './paint.ts';
import { displayWidth, printable, shorten } from './terminal-text.ts';

/** Long work, as one line shows it. */
export interface LongWork {
  /** What is worked on, in stored names or in words. */
  title: string;
  /** The part that is done, from 0 to 1; `undefined` where nobody knows how much there is. */
  share: number | undefined;
  /** What is known of it, the most important first: `420 MB of 1.0 GB`. */
  facts: readonly string[];
}

const BAR_WIDTH = 24;
const MIN_BAR_WIDTH = 8;
const MIN_TITLE_WIDTH = 12;
/** The time that is left is not told before: the rate is that of the first moments. */
const RATE_KNOWN_AFTER_MS = 2_000;

/** Work on bytes: how many are done, the rate, and the time that is left. */
export function workOnBytes(
  title: string,
  { bytesDone, bytesTotal, bytesPerSecond, elapsedMs }: Omit<Progress, 'itemsDone' | 'itemsTotal'>,
): LongWork {
  const isKnown = bytesTotal !== undefined && bytesTotal >= bytesDone;
  const facts = [
    isKnown ? `${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}` : formatBytes(bytesDone),
  ];
  if (bytesPerSecond > 0) {
    facts.push(`${formatBytes(bytesPerSecond)}/s`);
    const leftMs = isKnown ? ((bytesTotal - bytesDone) / bytesPerSecond) * 1000 : 0;
    if (leftMs > 0 && elapsedMs >= RATE_KNOWN_AFTER_MS)
      facts.push(
        `${formatDuration(Math.max(1, Math.round(leftMs / 1000)) * 1000).replace(/\.0 s$/, ' s')} left`,
      );
  }
  return { title, share: isKnown && bytesTotal > 0 ? bytesDone / bytesTotal : undefined, facts };
}

/** Work on things that are counted. `noun` is their plural. */
export function workOnItems(title: string, done: number, total: number | undefined, noun: string): LongWork {
  if (total === undefined) return { title, share: undefined, facts: [`${formatCount(done)} ${noun}`] };
  return {
    title,
    share: total > 0 ? done / total : undefined,
    facts: [`${formatCount(done)} of ${formatCount(total)} ${noun}`],
  };
}

/**
 * The line of long work, at most `width` columns wide: title, bar, share, facts. The last facts go first where it is narrow, then the bar;
 * then the title is cut.
 */
export function progressLine({ title, share, facts }: LongWork, width: number, paint: Paint = plain): string {
  const name = printable(title);
  const percent = share === undefined ? '' : `${Math.floor(Math.min(1, share) * 100)} %`.padStart(5);
  const needed = share === undefined ? MIN_TITLE_WIDTH : MIN_TITLE_WIDTH + MIN_BAR_WIDTH + 4;
  const kept = [...facts];
  const textOf = (): string => [percent, kept.join(', ')].filter((part) => part !== '').join('  ');
  while (kept.length > 1 && displayWidth(textOf()) + needed + 2 > width) kept.pop();
  const text = textOf();
  const room = width - displayWidth(text) - 2;
  if (room < 4) return shorten(text.trim(), width);
  const shown = shorten(name, Math.min(room, Math.max(MIN_TITLE_WIDTH, room - BAR_WIDTH - 4)));
  const barWidth = Math.min(BAR_WIDTH, room - displayWidth(shown) - 4);
  if (share === undefined || barWidth < MIN_BAR_WIDTH) return `${shown}  ${text}`;
  return `${shown}  ${bar(Math.min(1, share), barWidth, paint)}  ${text}`;
}

/** In ASCII: terminals disagree on how wide blocks are, and a line that is too wide would not be erased. */
function bar(share: number, width: number, paint: Paint): string {
  const filled = Math.floor(share * width);
  const head = filled < width ? '>' : '';
  const done = '='.repeat(filled) + head;
  return `[${paint('cyan', done)}${' '.repeat(width - filled - head.length)}]`;
}
