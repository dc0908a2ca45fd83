import type { ListedEntry } from '../../cache/entry-listing.ts';
import { explainKeys, type KeyDifference } from '../../cache/explain-keys.ts';
import type { CacheKey, KeyParts } from '../../cache/key-parts.ts';
import type { TaskCache } from '../../cache/task-cache.ts';
import { isSignatureFault } from '../../format/cache-entry.ts';
import { storedKeyOf } from '../cache/entry-key.ts';
import { type EntryJson, entryJson, shortKey, storedAtMs } from '../cache/entry-view.ts';
import { findEntry } from '../cache/find-entry.ts';
import { keyDistance } from '../cache/key-distance.ts';
import { readEntries, withCache } from '../cache/open-cache.ts';
import { unreadableEntry } from '../cache/problem-tally.ts';
import { CliError } from '../cli-error.ts';
import type { Invocation } from '../invocation.ts';
import type { Cell, Column } from '../ui/table.ts';
import { ageOf } from '../ui/times.ts';

/** An entry with the key that it says. */
interface KeyedEntry {
  entry: EntryJson;
  key: CacheKey;
}

const HEAD_COLUMNS: readonly Column[] = [
  { header: '' },
  { header: '' },
  { header: '', shrinks: true },
  { header: '', dropOrder: 1 },
  { header: '', dropOrder: 2, shrinks: true },
];
const COLUMNS: readonly Column[] = [{ header: 'PART' }, { header: 'DIFFERENCE', shrinks: true }];

/** `stowage cache explain <key> [other-key]` */
export async function cacheExplain(
  invocation: Invocation,
  typed: string,
  other: string | undefined,
): Promise<void> {
  await withCache(invocation, async (cache, { storage }) => {
    const named = keyed(await findEntry(cache, storage, typed, invocation));
    if (other !== undefined)
      return explain(invocation, named, keyed(await findEntry(cache, storage, other, invocation)));
    const { nearest, among } = await nearestTo(invocation, cache, named);
    await explain(invocation, nearest, named, among);
  });
}

/** @throws StowageError for an entry that cannot be read; CliError `NOT_EXPLAINED` */
function keyed(listed: ListedEntry): KeyedEntry {
  const { key, entry, problem, error } = listed;
  if (isSignatureFault(problem)) {
    const fault = problem === 'unknown-key' ? 'signed by a key that is not in the ring' : problem;
    throw notExplained(key, `is ${fault}; what it says of its key cannot be trusted`);
  }
  if (!entry) throw unreadableEntry(error);
  const described = storedKeyOf(entry);
  if (described) return { entry: entryJson(listed), key: described };
  throw notExplained(key, `of ${entry.task} does not say what its key was made of: no cached task stored it`);
}

function notExplained(key: string, why: string): CliError {
  return new CliError('NOT_EXPLAINED', `Entry ${shortKey(key)} ${why}.`, { details: { key } });
}

/**
 * The entry of the same task that differs in the fewest places; of several one with the same input, since it was that call which
 * ran again; of these the newest. One is in memory at a time.
 */
async function nearestTo(
  invocation: Invocation,
  cache: TaskCache,
  { entry: { key, task }, key: described }: KeyedEntry,
): Promise<{ nearest: KeyedEntry; among: number }> {
  let among = 0;
  let best: (KeyedEntry & { rank: readonly number[] }) | undefined;
  for await (const listed of readEntries(invocation, cache)) {
    if (!listed.entry || listed.key === key || listed.entry.task !== task) continue;
    const other = storedKeyOf(listed.entry);
    if (!other) continue;
    among += 1;
    const hasOtherInput = other.parts.input === described.parts.input ? 0 : 1;
    const rank = [keyDistance(other, described), hasOtherInput, -storedAtMs(listed)];
    if (!best || isBefore(rank, best.rank)) best = { entry: entryJson(listed), key: other, rank };
  }
  if (best) return { nearest: best, among };
  throw new CliError(
    'NO_SUCH_ENTRY',
    `The cache has no other entry of ${task} to compare ${shortKey(key)} with. To compare with one of another task: stowage cache explain <key> <other-key>`,
    { details: { key, task } },
  );
}

function isBefore(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at !== -1 && (a[at] as number) < (b[at] as number);
}

async function explain(
  { json, output }: Invocation,
  a: KeyedEntry,
  b: KeyedEntry,
  among?: number,
): Promise<void> {
  const differences = explainKeys(a.key, b.key);
  const same = samePartsOf(a.key, b.key, differences);
  if (json) {
    return output.json({
      a: a.entry,
      b: b.entry,
      among,
      different: differences.length > 0,
      same,
      differences,
    });
  }
  await output.table(HEAD_COLUMNS, [headRow('---', a.entry), headRow('+++', b.entry)]);
  await output.line();
  await output.table(COLUMNS, [
    ...differences.map(({ part, change, message }): Cell[] => [
      part,
      { text: message, style: STYLES[change] ?? 'yellow' },
    ]),
    ...same.map((part): Cell[] => [part, { text: 'the same', style: 'dim' }]),
  ]);
}

const STYLES: Readonly<Partial<Record<KeyDifference['change'], 'green' | 'red'>>> = {
  added: 'green',
  removed: 'red',
};

function headRow(sign: string, { key, task = '', createdAt, attempt = '' }: EntryJson): Cell[] {
  const style = sign === '---' ? 'red' : 'green';
  return [{ text: sign, style }, { text: shortKey(key), style: 'cyan' }, task, ageOf(createdAt), attempt];
}

function samePartsOf(a: CacheKey, b: CacheKey, differences: readonly KeyDifference[]): (keyof KeyParts)[] {
  const differing = new Set(differences.map(({ part }) => part));
  const parts = Object.keys({ ...a.parts, ...b.parts }) as (keyof KeyParts)[];
  return parts.filter((part) => !differing.has(part));
}
