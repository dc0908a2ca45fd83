import { notSigned } from '../../cache/entry-reader.ts';
import { attemptSession } from '../../format/attempt-files.ts';
import { type CacheEntry, decodeEntry, MAX_ENTRY_BYTES, signatureFault } from '../../format/cache-entry.ts';
import {
  CACHE_FOLDER,
  evictedName,
  leaseName,
  parseEntryName,
  parseKeyOf,
  parseLeaseName,
} from '../../format/cache-names.ts';
import { dayOfUses, decodeUses, MAX_USES_BYTES } from '../../format/cache-uses.ts';
import { HERE } from '../../format/content-ref.ts';
import { decodeLease, MAX_LEASE_BYTES } from '../../format/lease-record.ts';
import { readAhead } from '../../streams/read-ahead.ts';
import { Cursor, SortedLines } from '../collection/sorted-lines.ts';
import type { Checking, ShownObject } from './checking.ts';
import type { Finding } from './finding.ts';
import type { Want } from './wanted.ts';

/** So many records are read at once. */
const AHEAD = 15;

/**
 * Layer `cache`: entries and leases. Nothing here is lost for good: an entry whose attempt or content is gone is no hit, and the next call
 * runs the task.
 */
export async function* checkCache(checking: Checking): AsyncGenerator<Finding, void> {
  const sources = new SortedLines(checking.folder);
  const check = (object: ShownObject): Promise<Finding | undefined> => checkOne(checking, sources, object);
  for await (const { result } of readAhead(checking.list(CACHE_FOLDER), check, checking.call, AHEAD))
    if (result) yield result;
  if (!checking.isIncomplete && checking.choice.sinceMs === undefined) yield* checkSources(checking, sources);
}

/** What tells which entries were used: without it they go by their age. */
async function checkUses(checking: Checking, object: ShownObject): Promise<Finding | undefined> {
  if (!checking.isRecent(object)) return undefined;
  const about = { layer: 'cache', object: object.name, remedy: 'delete' } as const;
  const read = await checking.record(about, MAX_USES_BYTES, decodeUses);
  return read !== 'gone' && 'finding' in read ? read.finding : undefined;
}

async function checkOne(
  checking: Checking,
  sources: SortedLines,
  object: ShownObject,
): Promise<Finding | undefined> {
  const { name } = object;
  if (dayOfUses(name) !== undefined) return checkUses(checking, object);
  const key = parseKeyOf(name);
  if (key === undefined) return checking.foreign('cache', name);
  const lease = parseLeaseName(name);
  const isMark = lease?.kind === 'released' || name === evictedName(key);
  if (!(parseEntryName(name) || lease || isMark)) return checking.foreign('cache', name);
  if (isMark) return checking.filledMark('cache', object);
  const about = { layer: 'cache', object: name, remedy: 'delete' } as const;
  if (lease) {
    const { token } = lease;
    const read = await checking.record(about, MAX_LEASE_BYTES, (bytes, what) =>
      decodeLease(bytes, { key, token }, what),
    );
    if (read === 'gone') return undefined;
    if ('finding' in read) return checking.isRecent(object) ? read.finding : undefined;
    checking.sessions.add(read.value.session);
    return name === leaseName(key, token) ? undefined : checking.foreign('cache', name);
  }
  if (!checking.isRecent(object)) return undefined;
  const { signer } = checking.choice;
  const read = await checking.record(about, MAX_ENTRY_BYTES, (bytes, what) => ({
    entry: decodeEntry(bytes, key, what),
    fault: signer && signatureFault(bytes, key, signer),
  }));
  if (read === 'gone') return undefined;
  if ('finding' in read) return read.finding;
  const { entry, fault } = read.value;
  want(checking, sources, name, entry);
  if (!fault) return undefined;
  const { message } = notSigned(fault, checking.storage.uri(name), entry.signedBy);
  // An entry without a signature, or with one of a key that has left the ring, was stored so by whoever had no other: it is no hit, and that is all.
  if (fault !== 'forged') return { ...checking.found(about, 'contradiction', message), severity: 'notice' };
  // It is evidence, and no hit while it lies there; and with another secret than the store's every entry looks so.
  return checking.found({ ...about, remedy: 'leave' }, 'damaged', message);
}

function want(checking: Checking, sources: SortedLines, owner: string, { source, table }: CacheEntry): void {
  const want: Want = { owner, kind: 'cache entry', name: '' };
  for (const { content, refs } of table.artifacts) {
    if (content) checking.wanted.content(content, { ...want, copy: content.copy });
    for (const ref of refs ?? []) checking.wanted.ref(ref, want);
  }
  const { base, values } = attemptSession(source, source.attempt);
  const own = table.artifacts.flatMap((row) => row.own ?? []);
  const objects = new Set(own.map(({ place = HERE, object }) => `${place}:${values}${object}`));
  if (/[\t\n]/.test(base)) return;
  sources.add([base, source.session, source.metadataDigest, owner, ...objects].join('\t'));
}

/** Entries name attempts that may be gone, by retention or an erasure: then they are no hits. */
async function* checkSources(checking: Checking, sources: SortedLines): AsyncGenerator<Finding, void> {
  const results = new Cursor(checking.results.sorted());
  try {
    for (const line of sources.sorted()) {
      const [base = '', session = '', digest = '', entry = '', ...objects] = line.split('\t');
      const lacks = results.has(`${base}\t${session}\t${digest}`)
        ? await missingOf(checking, objects)
        : base.replace(/^flows\//, '');
      if (lacks === undefined || !(await checking.storage.head(entry, checking.call))) continue;
      const message = `${checking.storage.uri(entry)} names ${lacks}, which is not there any more as it was: it is no hit, and the next call runs the task. Evict it, or leave it.`;
      const about = { layer: 'cache', object: entry, remedy: 'delete' } as const;
      yield { ...checking.found(about, 'contradiction', message), severity: 'notice' };
    }
  } finally {
    results.close();
  }
}

/** The first of some objects of values that is not there. */
async function missingOf(
  { places, call }: Checking,
  objects: readonly string[],
): Promise<string | undefined> {
  for (const object of objects) {
    const colon = object.indexOf(':');
    const storage = places.get(object.slice(0, colon))?.storage;
    const name = object.slice(colon + 1);
    if (storage && !(await storage.head(name, call))) return name;
  }
  return undefined;
}
