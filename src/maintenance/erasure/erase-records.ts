import { BoundedWork } from '../../async/bounded-work.ts';
import { StowageError } from '../../errors.ts';
import { decodeEntry, MAX_ENTRY_BYTES } from '../../format/cache-entry.ts';
import {
  CACHE_FOLDER,
  type EntryKey,
  entryName,
  evictedName,
  parseEntryName,
} from '../../format/cache-names.ts';
import { parsePartialName } from '../../format/partial-names.ts';
import { readPartial } from '../../format/partial-records.ts';
import { formatPathspec } from '../../format/pathspec.ts';
import {
  decodeReportVersion,
  MAX_REPORT_RECORD_BYTES,
  parseReportVersionName,
} from '../../format/report-records.ts';
import { isOfOneAttempt } from '../copy-report.ts';
import { deleteOrTell, type ErasureContext } from './erasure-context.ts';

const CONCURRENCY = 16;

/**
 * Deletes the traces, checkpoints and versions of reports that hold what is to go: each stands for a call that runs again, a state that is
 * not gone on from, or a report that its attempt names itself. Resolves to how many did.
 */
export async function erasePartialRecords(context: ErasureContext): Promise<number> {
  const { dryRun, report } = context;
  const found = await eachOf(context, 'partial/', 'records', async (name) => {
    if (!(await holdsAny(context, name))) return false;
    if (!dryRun) await deleteOrTell(context, [name]);
    return true;
  });
  report.counts.partial += found;
  return found;
}

/**
 * Evicts the entries of the cache that hold what is to go, that name an attempt which held it, or that nobody can read. Resolves to how many
 * did.
 *
 * @param erased attempts that held something: `flow/run/step/task/attempt`
 * @param keys of results that were such attempts, whether or not there is an entry yet
 */
export async function evictEntries(
  context: ErasureContext,
  erased: ReadonlySet<string>,
  keys: ReadonlySet<EntryKey>,
): Promise<number> {
  const { content, targets, dryRun, report, options } = context;
  const evict = async (key: EntryKey): Promise<void> => {
    if (dryRun) return;
    await content.storage.overwrite(evictedName(key), new Uint8Array(0), options);
    await deleteOrTell(context, [entryName(key)]);
  };
  const found = await eachOf(context, CACHE_FOLDER, 'cache', async (name) => {
    const key = parseEntryName(name);
    if (key === undefined) return false;
    const object = await content.storage.get(name, { ...options, maxBytes: MAX_ENTRY_BYTES });
    if (!object) return false;
    if (await mayStay(object.body, key, name)) return false;
    await evict(key);
    return true;
  });
  for (const key of keys) await evict(key);
  report.counts.cacheEntries += found;
  return found;

  async function mayStay(body: Uint8Array, key: EntryKey, name: string): Promise<boolean> {
    try {
      const { source, table } = decodeEntry(body, key, content.storage.uri(name));
      const path = `${source.flow}/${formatPathspec(source, source.attempt)}`;
      return !erased.has(path) && targets.rowsIn(table.artifacts).length === 0;
    } catch (error) {
      // It is no hit for anybody, and may hold anything.
      if (error instanceof StowageError && error.code === 'RECORD_DAMAGED') return false;
      throw error;
    }
  }
}

async function holdsAny({ content, targets, options }: ErasureContext, name: string): Promise<boolean> {
  const { storage } = content;
  const record = parsePartialName(name);
  if (record) {
    const read = await readPartial(storage, record, options);
    return read !== undefined && targets.rowsIn(read.table.artifacts).length > 0;
  }
  const version = parseReportVersionName(name);
  if (!version) return false;
  const object = await storage.get(name, { ...options, maxBytes: MAX_REPORT_RECORD_BYTES });
  if (!object) return false;
  const { path, attempt, report, version: number } = version;
  const read = decodeReportVersion(object.body, storage.uri(name), path, attempt, report, number);
  return targets.has(read.report.content.key);
}

/** Looks at each object below a prefix. Resolves to how many were found. */
async function eachOf(
  { content, report, options, progress }: ErasureContext,
  prefix: string,
  step: 'records' | 'cache',
  look: (name: string) => Promise<boolean>,
): Promise<number> {
  let [seen, found] = [0, 0];
  const work = new BoundedWork(CONCURRENCY);
  try {
    for await (const page of content.storage.list({ prefix, ...options })) {
      for (const { name } of page.objects) {
        progress(step, ++seen);
        await work.begin(async () => {
          try {
            if (await look(name)) found += 1;
          } catch (error) {
            if (!isOfOneAttempt(error)) throw error;
            report.problem(name, error);
          }
        });
      }
    }
    await work.finish();
  } finally {
    await work.settle();
  }
  return found;
}
