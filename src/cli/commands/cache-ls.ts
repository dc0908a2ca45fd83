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
import { parseLimit } from '../ui/sizes.ts';

/** `stowage cache ls` */
export const cacheLs: CommandDeclaration = {
  name: 'ls',
  text: 'list the entries of the cache, newest first',
  options: [
    ...ENTRY_OPTIONS,
    { flags: '--since <age>', text: 'only entries stored since: an age (12h, 7d) or a date (2026-01-31)' },
    { flags: '-n, --limit <count>', text: 'how many at most; "all" for no limit', default: '50' },
  ],
  async run(invocation: Invocation, _: [], options: EntryOptions & { limit: string }) {
    const limit = parseLimit(options.limit);
    const choice = entryChoiceOf(options);
    await withCache(invocation, async (cache, store) => {
      const views = await import('../../views/cache-entries.ts');
      const { ProblemTally } = await import('../cache/problem-tally.ts');
      const { output } = invocation;
      const filter = new views.EntryFilter(choice);
      const newest = new views.Newest<EntryView>(limit);
      const problems = new ProblemTally();
      let [total, matching] = [0, 0];
      for await (const listed of views.readEntries(store, cache)) {
        total += 1;
        if (!filter.passes(listed)) continue;
        matching += 1;
        problems.add(listed);
        newest.add(views.entryView(listed), views.storedAtMs(listed));
      }
      const entries = newest.items();
      problems.report(invocation);
      if (invocation.json) return output.json({ total, matching, entries });
      if (entries.length > 0) await output.table(ENTRY_COLUMNS, entries.map(entryRow));
      else if (total === 0) invocation.note('the cache has no entries yet.');
      else invocation.note(`none of ${entryCount(total)} matches.${filter.didYouMean()}`);
      const left = matching - entries.length;
      if (left > 0) invocation.note(`${formatCount(left)} older not shown; all of them: --limit all`);
    });
  },
};
