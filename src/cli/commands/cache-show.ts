import { printable } from '../../codec/printable-text.ts';
import { isStowageError } from '../../errors.ts';
import { formatBytes } from '../../options/figures.ts';
import { shortKey } from '../../views/artifact-texts.ts';
import type { EntryDetails } from '../../views/cache-entry.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { withCache } from '../store.ts';
import { ARTIFACT_COLUMNS, ageCell, artifactRow, durationCell } from '../ui/cells.ts';
import type { Cell, Column } from '../ui/table.ts';

const FACT_COLUMNS: readonly Column[] = [{ header: '' }, { header: '', folds: Number.POSITIVE_INFINITY }];
const PART_COLUMNS: readonly Column[] = [
  { header: 'PART', shrinks: true },
  { header: 'VALUE', shrinks: true },
];
/** Places of a part that people are shown; `--json` has all of them. */
const MAX_PLACES = 10;

/** `stowage cache show <key>` */
export const cacheShow: CommandDeclaration = {
  name: 'show',
  text: 'show an entry: is it a hit, what is its key made of, where is it from',
  arguments: [{ form: '<key>', text: 'the first digits of its key', completion: 'cache key' }],
  async run(invocation: Invocation, [typed]: [string]) {
    await withCache(invocation, async (cache, store) => {
      const { findEntry } = await import('../cache/find-entry.ts');
      const { readEntryDetails } = await import('../../views/cache-entry.ts');
      const listed = await findEntry(cache, store, typed);
      const { details, error } = await readEntryDetails(store, cache, listed);
      await noteFailure(invocation, details, error);
      await (invocation.json ? invocation.output.json(details) : print(invocation, details));
    });
  },
};

/** Content that is gone, or a signature that does not hold, is an answer; the rest could not be read. */
async function noteFailure(
  invocation: Invocation,
  { status, lost }: EntryDetails,
  error: unknown,
): Promise<void> {
  if (status === 'unavailable') {
    if (!isStowageError(error)) throw error;
    invocation.failed(error);
  } else if ((status === 'damaged' || status === 'newer-format') && !lost) {
    const { unreadableEntry } = await import('../cache/problem-tally.ts');
    invocation.failed(unreadableEntry(error));
  }
}

async function print({ output }: Invocation, details: EntryDetails): Promise<void> {
  const { key, task, status, madeOf, artifacts = [] } = details;
  const title = [shortKey(key), ...(task === undefined ? [] : [task])].join('  ');
  await output.line(output.paint('bold', printable(title)));
  await output.sentence(verdictText(details), status === 'hit' ? 'green' : 'yellow');
  await output.line();
  await output.table(FACT_COLUMNS, factRows(details));
  if (task === undefined) return;
  await output.section('Key');
  if (madeOf) await output.table(PART_COLUMNS, keyPartRows(madeOf));
  else await output.table(FACT_COLUMNS, [['what it was made of is not told']]);
  if (artifacts.length === 0) return;
  await output.section('Artifacts');
  await output.table(ARTIFACT_COLUMNS, artifacts.map(artifactRow));
}

function factRows(details: EntryDetails): Cell[][] {
  const { durationMs, leaseToken = 0, refs = 0 } = details;
  const facts: [string, string | undefined][] = [
    ['key', details.key],
    ['version', details.version],
    ['scope', details.scope],
    ['stored', ageCell(details.createdAt)],
    ['took', durationMs === undefined ? undefined : durationCell(durationMs)],
    ['attempt', details.attempt],
    ['expires', details.expiresAt],
    ['lease', leaseToken > 0 ? String(leaseToken) : undefined],
    ['signature', signatureText(details)],
    ['entry', formatBytes(details.entryBytes)],
    ['refers to', refs > 0 ? `${refs} objects` : undefined],
  ];
  return facts.flatMap(([name, text]) => (text === undefined ? [] : [[{ text: name, style: 'dim' }, text]]));
}

function signatureText({ task, signedBy, verified, status }: EntryDetails): string | undefined {
  if (task === undefined) return undefined;
  if (signedBy === undefined) return 'none';
  if (verified === undefined) return `by ${signedBy}, not verified: STOWAGE_CACHE_KEY is not set`;
  const fault = status === 'unknown-key' ? 'which is not in STOWAGE_CACHE_KEY' : 'forged';
  return `by ${signedBy}, ${verified ? 'verified' : fault}`;
}

function verdictText({ status, lost, expiresAt }: EntryDetails): string {
  const what = lost?.artifact === undefined ? lost?.name.slice(0, 12) : `artifact ${lost.artifact}`;
  switch (status) {
    case 'hit':
      return 'a hit: all that it refers to is there';
    case 'absent':
      return 'no hit: it was evicted meanwhile';
    case 'expired':
      return `no hit: it expired ${ageCell(expiresAt)}`;
    case 'purged':
      return `no hit: the content of ${what} is gone`;
    case 'place-absent':
      return `no hit: the place where the content of ${what} lies was moved or emptied, or is not mounted here`;
    case 'unsigned':
      return 'no hit: it is not signed';
    case 'forged':
      return 'no hit: its signature is of no key in STOWAGE_CACHE_KEY';
    case 'unknown-key':
      return 'no hit: it is signed by a key that is not in STOWAGE_CACHE_KEY';
    case 'newer-format':
      return 'no hit: a newer release wrote it';
    case 'damaged':
      return lost ? `no hit: the content of ${what} is damaged` : 'no hit: the entry is damaged';
    case 'unavailable':
      return 'not known: the storage failed';
  }
}

/** The parts of a key, and the places inside them, each with its text or the first digits of its digest: no value. */
function keyPartRows({ parts, places }: NonNullable<EntryDetails['madeOf']>): Cell[][] {
  return Object.entries(parts).flatMap(([part, value]): Cell[][] => {
    const listing = (places as Readonly<Record<string, Record<string, string> | undefined>>)[part] ?? {};
    const inside = Object.entries(listing).filter(([path]) => path !== part);
    const shown = inside.slice(0, MAX_PLACES).map(([path, digest]) => [`  ${path}`, shortKey(digest)]);
    const more = inside.length - shown.length;
    return [
      [part, partText(part, value)],
      ...shown,
      ...(more > 0 ? [[`  ... ${more} more`, 'with --json']] : []),
    ];
  });
}

function partText(part: string, value: unknown): string {
  if (part === 'input' || part === 'config' || part === 'salt') return shortKey(String(value));
  if (Array.isArray(value)) return value.join(', ');
  if (typeof value !== 'object' || value === null) return String(value);
  const [[kind, text] = ['', '']] = Object.entries(value);
  const isDigest = kind === 'auto' || kind === 'schemas';
  return `${kind} ${isDigest ? shortKey(String(text)) : String(text)}`;
}
