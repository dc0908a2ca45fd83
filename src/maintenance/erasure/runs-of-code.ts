import { createdName, decodeRunCreated } from '../../format/run-records.ts';
import { readSessionFile, standaloneFiles } from '../../format/session-files.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';

/** The runs, `flow/run`, whose code sessions outside tasks keep, by the beginning of the names of their files. Reads all runs, if any are asked for. */
export async function runsOfCode(
  storage: DataStoreStorage,
  bases: readonly string[],
  options: CallOptions,
): Promise<Map<string, string[]>> {
  const runs = new Map<string, string[]>();
  if (bases.length === 0) return runs;
  const wanted = new Set(bases);
  for await (const page of storage.list({ prefix: 'runs/', signal: options.signal })) {
    for (const { name } of page.objects) {
      const [, flow, run, file] = name.split('/');
      if (file !== 'created.json' || flow === undefined || run === undefined) continue;
      const bytes = await readSessionFile(storage, createdName(flow, run), options);
      const code = bytes && decodeRunCreated(bytes, storage.uri(name), { flow, run }).code;
      const base = code && standaloneFiles(code.session).base;
      if (base !== undefined && wanted.has(base))
        runs.set(base, [...(runs.get(base) ?? []), `${flow}/${run}`]);
    }
  }
  return runs;
}
