import { EntryFilter, type EntryFilterOptions } from '../cache/entry-filter.ts';
import {
  ENTRY_COLUMNS,
  type EntryJson,
  entryCount,
  entryJson,
  entryRow,
  storedAtMs,
} from '../cache/entry-view.ts';
import { Newest } from '../cache/newest.ts';
import { readEntries, withCache } from '../cache/open-cache.ts';
import { ProblemTally } from '../cache/problem-tally.ts';
import type { Invocation } from '../invocation.ts';
import { formatCount, parseLimit } from '../ui/sizes.ts';

/** Options of `stowage cache ls`. */
export interface LsOptions extends EntryFilterOptions {
  limit: string;
}

/** `stowage cache ls` */
export async function cacheLs(invocation: Invocation, options: LsOptions): Promise<void> {
  const limit = parseLimit(options.limit);
  const filter = new EntryFilter(options);
  await withCache(invocation, async (cache) => {
    const { output } = invocation;
    const newest = new Newest<EntryJson>(limit);
    const problems = new ProblemTally();
    let [total, matching] = [0, 0];
    for await (const listed of readEntries(invocation, cache)) {
      total += 1;
      if (!filter.passes(listed)) continue;
      matching += 1;
      problems.add(listed);
      newest.add(entryJson(listed), storedAtMs(listed));
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
}
