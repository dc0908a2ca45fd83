import { listVersions, readPublishedRecord } from '../../format/published-names.ts';
import { standaloneFiles } from '../../format/session-files.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';

/** The published versions, `name/version`, that sessions outside tasks keep, by the beginning of the names of their files. Reads all names, if any are asked for. */
export async function publishedBy(
  storage: DataStoreStorage,
  bases: readonly string[],
  options: CallOptions,
): Promise<Map<string, string[]>> {
  const published = new Map<string, string[]>();
  if (bases.length === 0) return published;
  const wanted = new Set(bases);
  for await (const { name, version, withdrawn } of listVersions(storage, options)) {
    const record = withdrawn ? undefined : await readPublishedRecord(storage, { name, version }, options);
    const base = record && standaloneFiles(record.session).base;
    if (base !== undefined && wanted.has(base)) published.set(base, [`${name}/${version}`]);
  }
  return published;
}
