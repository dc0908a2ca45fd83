import { printable } from '../../codec/printable-text.ts';
import { countOf, formatCount } from '../../options/figures.ts';
import { usageError } from '../cli-error.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { caughtUp, INDEX_OPTION, withIndex } from '../questions/asked-index.ts';

interface BuildIndexOptions {
  full?: boolean;
  rebuild?: boolean;
  index?: string;
}

/** `stowage index` */
export const buildIndex: CommandDeclaration = {
  name: 'index',
  text: 'make the tables that find, lineage, du and sql ask, or catch them up',
  options: [
    { flags: '--full', text: 'list the whole store: finds what changed in runs that had ended' },
    { flags: '--rebuild', text: 'make it anew from nothing' },
    INDEX_OPTION,
  ],
  async run(invocation: Invocation, _: [], { full, rebuild, index: path }: BuildIndexOptions) {
    if (full && rebuild) throw usageError('--rebuild reads the whole store anyway: leave --full out.');
    await withIndex(invocation, path, async (index) => {
      const done = await caughtUp(invocation, index, { full, rebuild });
      const status = await index.status(invocation);
      const { output } = invocation;
      if (invocation.json) return output.json({ ...status, ...done });
      const { runs, attempts, entries, published, removed, unreadable } = done;
      const read = [
        countOf(runs, 'run'),
        countOf(attempts, 'attempt'),
        cacheEntries(entries),
        ...publishedVersions(published),
      ].join(', ');
      const gone = removed === 0 ? '' : `, of which ${formatCount(removed)} ${isOrAre(removed)} gone`;
      await output.line(printable(`${status?.path ?? status?.address}: read ${read}${gone}`));
      if (unreadable === 0) return;
      invocation.note(
        `${formatCount(unreadable)} of these could not be read; the rows have the reason, and stowage fsck tells more.`,
      );
    });
  },
};

function cacheEntries(count: number): string {
  return `${formatCount(count)} ${count === 1 ? 'entry' : 'entries'} of the cache`;
}

function publishedVersions(count: number): string[] {
  return count === 0 ? [] : [`${formatCount(count)} published ${count === 1 ? 'version' : 'versions'}`];
}

function isOrAre(count: number): string {
  return count === 1 ? 'is' : 'are';
}
