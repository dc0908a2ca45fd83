import type { ListedEntry } from '../../cache/entry-listing.ts';
import type { CacheHit, CacheMiss } from '../../cache/entry-reader.ts';
import type { CacheKey } from '../../cache/key-parts.ts';
import { TaskCache } from '../../cache/task-cache.ts';
import type { ContentAddressedStore } from '../../content-addressed-store.ts';
import { isStowageError } from '../../errors.ts';
import { type CacheEntry, isSignatureFault } from '../../format/cache-entry.ts';
import { CACHE_KEY_VARIABLE } from '../../format/signing.ts';
import { artifactJson } from '../attempt-view.ts';
import { keyPartRows, storedKeyOf } from '../cache/entry-key.ts';
import { entryJson, shortKey } from '../cache/entry-view.ts';
import { findEntry } from '../cache/find-entry.ts';
import { withCache } from '../cache/open-cache.ts';
import { unreadableEntry } from '../cache/problem-tally.ts';
import type { Invocation } from '../invocation.ts';
import { ARTIFACT_COLUMNS, artifactRow } from '../ui/artifact-table.ts';
import { formatBytes } from '../ui/sizes.ts';
import type { Cell, Column } from '../ui/table.ts';
import { printable } from '../ui/terminal-text.ts';
import { ageOf, formatDuration } from '../ui/times.ts';
import { wrapWords } from '../ui/wrap.ts';

const FACT_COLUMNS: readonly Column[] = [{ header: '' }, { header: '', shrinks: true }];
const PART_COLUMNS: readonly Column[] = [
  { header: 'PART', shrinks: true },
  { header: 'VALUE', shrinks: true },
];

/** `stowage cache show <key>` */
export async function cacheShow(invocation: Invocation, typed: string): Promise<void> {
  await withCache(invocation, async (cache, content) => {
    const { signal, json } = invocation;
    const listed = await findEntry(cache, content.storage, typed, { signal });
    const verdict = await cache.lookup(listed.key, { signal });
    noteFailure(invocation, verdict);
    const told = listed.entry ? listed : await unverified(content, listed, invocation);
    await (json ? writeJson : print)(invocation, told, verdict);
  });
}

/** What it says of itself, though its signature does not hold. */
async function unverified(
  content: ContentAddressedStore,
  listed: ListedEntry,
  { signal }: Invocation,
): Promise<ListedEntry> {
  if (!isSignatureFault(listed.problem)) return listed;
  const trusting = new TaskCache(content, { signingKeys: false });
  for await (const { entry } of trusting.entries({ keyPrefix: listed.key, signal }))
    return entry ? { ...listed, entry } : listed;
  return listed;
}

/** That content is gone, or a signature does not hold, is what was to be found out; the rest could not be read. */
function noteFailure(invocation: Invocation, verdict: CacheHit | CacheMiss): void {
  if (verdict.status === 'hit') return;
  const { reason, error, content } = verdict;
  if (reason === 'unavailable') {
    if (!isStowageError(error)) throw error;
    invocation.failed(error);
  } else if ((reason === 'damaged' || reason === 'newer-format') && !content) {
    invocation.failed(unreadableEntry(error));
  }
}

async function writeJson(
  { output }: Invocation,
  listed: ListedEntry,
  verdict: CacheHit | CacheMiss,
): Promise<void> {
  const { entry } = listed;
  const key = entry && storedKeyOf(entry);
  const lost = verdict.status === 'hit' ? undefined : verdict.content;
  const status = verdict.status === 'hit' ? 'hit' : verdict.reason;
  return output.json({
    ...entryJson(listed),
    status,
    lost,
    leaseToken: entry?.leaseToken,
    verified: isVerified(listed, entry),
    madeOf: key ? { parts: key.parts, places: key.places } : undefined,
    artifacts: entry?.table.artifacts.map(artifactJson),
    refs: entry?.table.refs.length,
  });
}

async function print(
  { output }: Invocation,
  listed: ListedEntry,
  verdict: CacheHit | CacheMiss,
): Promise<void> {
  const { entry } = listed;
  const { paint } = output;
  const isHit = verdict.status === 'hit';
  const title = [shortKey(listed.key), ...(entry ? [entry.task] : [])].join('  ');
  await output.line(paint('bold', printable(title)));
  const words = printable(verdictText(verdict, entry)).split(' ');
  await output.lines(wrapWords(words, output.width).map((line) => paint(isHit ? 'green' : 'yellow', line)));
  await output.line();
  await output.table(FACT_COLUMNS, factRows(listed));
  if (!entry) return;
  const section = async (text: string): Promise<void> => {
    await output.line();
    await output.line(paint('bold', text));
  };
  await section('Key');
  await printKey(output, storedKeyOf(entry));
  if (entry.table.artifacts.length === 0) return;
  await section('Artifacts');
  await output.table(
    ARTIFACT_COLUMNS,
    entry.table.artifacts.map((artifact) => artifactRow(artifactJson(artifact))),
  );
}

async function printKey(output: Invocation['output'], key: CacheKey | undefined): Promise<void> {
  if (key) return output.table(PART_COLUMNS, keyPartRows(key));
  await output.table(FACT_COLUMNS, [['what it was made of is not told']]);
}

function factRows(listed: ListedEntry): Cell[][] {
  const { key, entry } = listed;
  const { createdAt, entryBytes, version, scope, attempt, durationMs } = entryJson(listed);
  const facts: [string, string | undefined][] = [
    ['key', key],
    ['version', version],
    ['scope', scope],
    ['stored', ageOf(createdAt)],
    ['took', durationMs === undefined ? undefined : formatDuration(durationMs)],
    ['attempt', attempt],
    ['expires', entry?.expiresAt],
    ['lease', entry && entry.leaseToken > 0 ? String(entry.leaseToken) : undefined],
    ['signature', signatureText(listed)],
    ['entry', formatBytes(entryBytes)],
    ['refers to', entry && entry.table.refs.length > 0 ? `${entry.table.refs.length} objects` : undefined],
  ];
  return facts.flatMap(([name, text]) => (text === undefined ? [] : [[{ text: name, style: 'dim' }, text]]));
}

/** Whether the signature holds; `undefined` where nobody asks for one. */
function isVerified({ problem }: ListedEntry, entry: CacheEntry | undefined): boolean | undefined {
  if (!process.env[CACHE_KEY_VARIABLE] || !entry) return undefined;
  return problem === undefined;
}

function signatureText(listed: ListedEntry): string | undefined {
  const { entry } = listed;
  if (!entry) return undefined;
  if (entry.signedBy === undefined) return 'none';
  const verified = isVerified(listed, entry);
  if (verified === undefined) return `by ${entry.signedBy}, not verified: ${CACHE_KEY_VARIABLE} is not set`;
  const fault = listed.problem === 'unknown-key' ? `which is not in ${CACHE_KEY_VARIABLE}` : 'forged';
  return `by ${entry.signedBy}, ${verified ? 'verified' : fault}`;
}

/** Whether it would be a hit, for a task that takes entries of any age. */
function verdictText(verdict: CacheHit | CacheMiss, entry: CacheEntry | undefined): string {
  if (verdict.status === 'hit') return 'a hit: all that it refers to is there';
  const { reason, content } = verdict;
  const what = content?.artifact === undefined ? content?.name.slice(0, 12) : `artifact ${content.artifact}`;
  switch (reason) {
    case 'absent':
      return 'no hit: it was evicted meanwhile';
    case 'expired':
      return `no hit: it expired ${entry?.expiresAt === undefined ? '' : ageOf(entry.expiresAt)}`;
    case 'purged':
      return `no hit: the content of ${what} is gone`;
    case 'place-absent':
      return `no hit: the place where the content of ${what} lies was moved or emptied, or is not mounted here`;
    case 'unsigned':
      return 'no hit: it is not signed';
    case 'forged':
      return `no hit: its signature is of no key in ${CACHE_KEY_VARIABLE}`;
    case 'unknown-key':
      return `no hit: it is signed by a key that is not in ${CACHE_KEY_VARIABLE}`;
    case 'newer-format':
      return 'no hit: a newer release wrote it';
    case 'damaged':
      return content ? `no hit: the content of ${what} is damaged` : 'no hit: the entry is damaged';
    case 'unavailable':
      return 'not known: the storage failed';
  }
}
