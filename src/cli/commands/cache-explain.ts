import type { ListedEntry } from '../../cache/entry-listing.ts';
import type { KeyDifference } from '../../cache/explain-keys.ts';
import type { CacheKey, KeyParts } from '../../cache/key-parts.ts';
import { shortKey } from '../../views/artifact-texts.ts';
import type { EntryView } from '../../views/cache-entries.ts';
import type { KeyedEntry } from '../../views/nearest-entry.ts';
import { CliError } from '../cli-error.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { withCache } from '../store.ts';
import { ageCell, nameCell } from '../ui/cells.ts';
import type { Cell, Column } from '../ui/table.ts';

const HEAD_COLUMNS: readonly Column[] = [
  { header: '' },
  { header: '' },
  { header: '', shrinks: true },
  { header: '', dropOrder: 1 },
  { header: '', shrinks: true, folds: 28 },
];
const COLUMNS: readonly Column[] = [
  { header: 'PART' },
  { header: 'DIFFERENCE', folds: Number.POSITIVE_INFINITY },
];

/** `stowage cache explain <key> [other-key]` */
export const cacheExplain: CommandDeclaration = {
  name: 'explain',
  text: 'tell why a call was no hit: which parts of two keys differ, and where',
  arguments: [
    { form: '<key>', text: 'the first digits of its key', completion: 'cache key' },
    {
      form: '[other-key]',
      text: 'the key to compare with; default: the nearest of the same task',
      completion: 'cache key',
    },
  ],
  async run(invocation: Invocation, [typed, other]: [string, string?]) {
    await withCache(invocation, async (cache, store) => {
      const { findEntry } = await import('../cache/find-entry.ts');
      const named = await keyed(await findEntry(cache, store, typed));
      if (other !== undefined)
        return explain(invocation, named, await keyed(await findEntry(cache, store, other)));
      const { nearestEntry } = await import('../../views/nearest-entry.ts');
      const { nearest, among } = await nearestEntry(store, cache, named);
      if (!nearest) throw noOther(named);
      await explain(invocation, nearest, named, among);
    });
  },
};

/** @throws StowageError for an entry that cannot be read; CliError `NOT_EXPLAINED` */
async function keyed(listed: ListedEntry): Promise<KeyedEntry> {
  const { isSignatureFault } = await import('../../format/cache-entry.ts');
  const { unreadableEntry } = await import('../cache/problem-tally.ts');
  const { entryView, storedKeyOf } = await import('../../views/cache-entries.ts');
  const { key, entry, problem, error } = listed;
  if (isSignatureFault(problem)) {
    const fault = problem === 'unknown-key' ? 'signed by a key that is not in the ring' : problem;
    throw notExplained(key, `is ${fault}; what it says of its key cannot be trusted`);
  }
  if (!entry) throw unreadableEntry(error);
  const described = storedKeyOf(entry);
  if (described) return { entry: entryView(listed), key: described };
  throw notExplained(key, `of ${entry.task} does not say what its key was made of: no cached task stored it`);
}

function notExplained(key: string, why: string): CliError {
  return new CliError('NOT_EXPLAINED', `Entry ${shortKey(key)} ${why}.`, { details: { key } });
}

function noOther({ entry: { key, task } }: KeyedEntry): CliError {
  return new CliError(
    'NO_SUCH_ENTRY',
    `The cache has no other entry of ${task} to compare ${shortKey(key)} with. To compare with one of another task: stowage cache explain <key> <other-key>`,
    { details: { key, task } },
  );
}

async function explain(
  { json, output }: Invocation,
  a: KeyedEntry,
  b: KeyedEntry,
  among?: number,
): Promise<void> {
  const { explainKeys } = await import('../../cache/explain-keys.ts');
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

function headRow(sign: string, { key, task = '', createdAt, attempt = '' }: EntryView): Cell[] {
  const style = sign === '---' ? 'red' : 'green';
  return [{ text: sign, style }, nameCell(shortKey(key)), task, ageCell(createdAt), attempt];
}

function samePartsOf(a: CacheKey, b: CacheKey, differences: readonly KeyDifference[]): (keyof KeyParts)[] {
  const differing = new Set(differences.map(({ part }) => part));
  const parts = Object.keys({ ...a.parts, ...b.parts }) as (keyof KeyParts)[];
  return parts.filter((part) => !differing.has(part));
}
