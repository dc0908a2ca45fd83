import { listAttempts } from '../attempts/attempt-files.ts';
import { readAttempt } from '../attempts/attempt-reader.ts';
import { resultOf } from '../cache/attempt-result.ts';
import { CACHE_FOLDER, type EntryKey, entryName, parseEntryName } from '../cache/cache-names.ts';
import { type CacheEntry, encodeEntry, isSignatureFault, type NewCacheEntry } from '../cache/entry.ts';
import { EntryReader } from '../cache/entry-reader.ts';
import { type EntrySigner, signerOf } from '../cache/signing.ts';
import { isStowageError } from '../errors.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import type { BoundedWork } from './bounded-work.ts';
import type { CopyContext } from './copy-context.ts';
import type { CopyCounts } from './copy-report.ts';

/** Whose entries are copied. */
export interface EntriesToCopy {
  flow: string | undefined;
  run: string | undefined;
}

/**
 * Copies the entries of the cache that the target lacks and whose attempts it has, so that calls which are hits in the source are
 * hits in the target. Each names the target's attempt and content from then on, and is signed anew where a key is set; its age
 * stays. What is wrong with an entry costs a run and no copy: it is counted, and left out.
 */
export async function copyCacheEntries(
  context: CopyContext,
  wanted: EntriesToCopy,
  work: BoundedWork,
): Promise<void> {
  const { source, target, report, options } = context;
  const signer = signerOf(undefined);
  const entries = new EntryReader(source, signer);
  const there = listKeys(target.storage, options)[Symbol.asyncIterator]();
  let other = await there.next();
  for await (const key of listKeys(source.storage, options)) {
    while (!other.done && other.value < key) other = await there.next();
    if (!other.done && other.value === key) {
      report.entries.present += 1;
      continue;
    }
    await work.begin(async () => {
      const outcome = await copyEntry(context, entries, signer, key, wanted);
      if (outcome) report.entries[outcome] += 1;
      report.progressed();
    });
  }
  await there.return?.(undefined);
}

async function* listKeys(storage: DataStoreStorage, { signal }: CallOptions): AsyncGenerator<EntryKey> {
  for await (const page of storage.list({ prefix: CACHE_FOLDER, signal })) {
    for (const { name } of page.objects) {
      const key = parseEntryName(name);
      if (key !== undefined) yield key;
    }
  }
}

/** `undefined` where it is not asked for, or gone by now. */
async function copyEntry(
  { target, dryRun, options }: CopyContext,
  entries: EntryReader,
  signer: EntrySigner | undefined,
  key: EntryKey,
  { flow, run }: EntriesToCopy,
): Promise<keyof CopyCounts | undefined> {
  const found = await entries.find(key, options);
  if (!found) return undefined;
  if ('problem' in found) return isSignatureFault(found.problem) ? 'refused' : 'failed';
  const { entry } = found;
  if ((flow !== undefined && entry.source.flow !== flow) || (run !== undefined && entry.source.run !== run))
    return undefined;
  // Without a key that signs it, it would be no entry for those who have one.
  if (entry.signedBy !== undefined && !signer) return 'refused';
  if (dryRun) return 'copied';
  const moved = await inTarget(target, entry, options);
  if (!moved) return 'refused';
  const { signedBy: _, ...unsigned } = entry;
  const body = encodeEntry({ ...unsigned, ...moved }, signer);
  return (await target.storage.create(entryName(key), body, options)) ? 'copied' : 'present';
}

/** The attempt and the rows that the target has of an entry's result; `undefined` where it has another result there, or none. */
async function inTarget(
  { storage, reader }: CopyContext['target'],
  { source, table }: CacheEntry,
  options: CallOptions,
): Promise<Pick<NewCacheEntry, 'source' | 'table'> | undefined> {
  const { attempt, flow, run, step, task } = source;
  const path = { flow, run, step, task };
  try {
    const attempts = await listAttempts(storage, path, options);
    const result = resultOf(await readAttempt(storage, reader, path, attempts, { attempt }, options));
    const rows = new Map(result.table.artifacts.map((row) => [row.name, row]));
    const artifacts = table.artifacts.flatMap(({ name, key }) => {
      const row = rows.get(name);
      return row?.key === key ? [row] : [];
    });
    if (artifacts.length < table.artifacts.length) return undefined;
    const named = new Set(table.refs.map(({ kind, name }) => `${kind}\n${name}`));
    const refs = result.table.refs.filter(({ kind, name }) => named.has(`${kind}\n${name}`));
    return { source: result.source, table: { artifacts, refs } };
  } catch (error) {
    // Not there, not done, given up, or damaged: no result to name.
    if (
      isStowageError(
        error,
        'ATTEMPT_NOT_FOUND',
        'ATTEMPT_NOT_DONE',
        'ATTEMPT_DELETED',
        'INVALID_ARGUMENT',
        'RECORD_DAMAGED',
        'UNSUPPORTED_FORMAT',
      )
    )
      return undefined;
    throw error;
  }
}
