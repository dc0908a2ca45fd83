import { formatCount } from '../../options/figures.ts';
import type { EntryView } from '../../views/cache-entries.ts';
import {
  ENTRY_COLUMNS,
  ENTRY_OPTIONS,
  type EntryOptions,
  entryChoiceOf,
  entryCount,
  entryRow,
} from '../cache/entries.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { withCache } from '../store.ts';
import { parseLimit, parseOffset } from '../ui/sizes.ts';

interface CacheLsOptions extends EntryOptions {
  limit: string;
  offset?: string;
}

/** `stowage cache ls` */
export const cacheLs: CommandDeclaration = {
  name: 'ls',
  text: 'list the entries of the cache, newest first',
  options: [
    ...ENTRY_OPTIONS,
    { flags: '--since <age>', text: 'only entries stored since: an age (12h, 7d) or a date (2026-01-31)' },
    { flags: '-n, --limit <count>', text: 'how many at most; "all" for no limit', default: '50' },
    { flags: '--offset <count>', text: 'leave out so many that come before' },
  ],
  async run(invocation: Invocation, _: [], options: CacheLsOptions) {
    const limit = parseLimit(options.limit);
    const offset = parseOffset(options.offset);
    const choice = entryChoiceOf(options);
    await withCache(invocation, async (cache, store) => {
      const views = await import('../../views/cache-entries.ts');
      const { ProblemTally } = await import('../cache/problem-tally.ts');
      const { output } = invocation;
      const filter = new views.EntryFilter(choice);
      const newest = new views.Newest<EntryView>(offset + limit);
      const problems = new ProblemTally();
      let [total, matching] = [0, 0];
      for await (const listed of views.readEntries(store, cache)) {
        total += 1;
        if (!filter.passes(listed)) continue;
        matching += 1;
        problems.add(listed);
        newest.add(views.entryView(listed), views.storedAtMs(listed));
      }
      const entries = newest.items().slice(offset);
      problems.report(invocation);
      if (invocation.json) {
        const shown = output.firstOf(entries);
        const next = offset + shown.length;
        const isMore = next < matching && shown.length > 0;
        return output.json({ total, matching, entries: shown, ...(isMore ? { next } : {}) });
      }
      if (entries.length > 0) await output.table(ENTRY_COLUMNS, entries.map(entryRow));
      else if (total === 0) invocation.note('the cache has no entries yet.');
      else if (matching > 0) invocation.note(`there are no more than ${entryCount(matching)}.`);
      else invocation.note(`none of ${entryCount(total)} matches.${filter.didYouMean()}`);
      const left = matching - offset - entries.length;
      if (left > 0) invocation.note(`${formatCount(left)} older not shown; all of them: --limit all`);
    });
  },
};
