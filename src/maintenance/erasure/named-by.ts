import { BoundedWork } from '../../async/bounded-work.ts';
import { isOfOneRecord } from '../../attempts/run-listing.ts';
import { listVersions, readPublishedRecord } from '../../format/published-names.ts';
import { readRunCreated } from '../../format/run-records.ts';
import { standaloneFiles } from '../../format/session-files.ts';
import type { SessionId } from '../../format/session-id.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';

/** So many records are read at once. */
const CONCURRENCY = 16;

/** The names of what points at sessions outside tasks, ascending, by the beginning of the names of a session's files. */
export type NamedSessions = ReadonlyMap<string, readonly string[]>;

/** A record that may point at a session, and what it is of. */
interface Naming {
  readonly name: string;
  read(): Promise<SessionId | undefined>;
}

/** The runs, `flow/run`, whose code sessions keep. Reads all runs, if any are asked for. */
export function runsOfCode(
  storage: DataStoreStorage,
  bases: readonly string[],
  options: CallOptions,
): Promise<NamedSessions> {
  async function* namings(): AsyncGenerator<Naming> {
    for await (const page of storage.list({ prefix: 'runs/', signal: options.signal })) {
      for (const { name } of page.objects) {
        const [, flow, run, file] = name.split('/');
        if (file !== 'created.json' || flow === undefined || run === undefined) continue;
        const read = async (): Promise<SessionId | undefined> =>
          (await readRunCreated(storage, flow, run, options))?.code?.session;
        yield { name: `${flow}/${run}`, read };
      }
    }
  }
  return namedBy(namings(), bases);
}

/** The published versions, `name/version`, whose values sessions keep. Reads all names, if any are asked for. */
export function publishedBy(
  storage: DataStoreStorage,
  bases: readonly string[],
  options: CallOptions,
): Promise<NamedSessions> {
  async function* namings(): AsyncGenerator<Naming> {
    for await (const { name, version, withdrawn } of listVersions(storage, options)) {
      if (withdrawn) continue;
      const read = async (): Promise<SessionId | undefined> =>
        (await readPublishedRecord(storage, { name, version }, options))?.session;
      yield { name: `${name}/${version}`, read };
    }
  }
  return namedBy(namings(), bases);
}

/** A record that cannot be read tells of nothing, and a check tells of it: what is erased does not hang on what it says. */
async function namedBy(namings: AsyncIterable<Naming>, bases: readonly string[]): Promise<NamedSessions> {
  const named = new Map<string, string[]>(bases.map((base) => [base, []]));
  if (named.size === 0) return named;
  const work = new BoundedWork(CONCURRENCY);
  try {
    for await (const { name, read } of namings) {
      await work.begin(async () => {
        try {
          const session = await read();
          if (session !== undefined) named.get(standaloneFiles(session).base)?.push(name);
        } catch (error) {
          if (!isOfOneRecord(error)) throw error;
        }
      });
    }
    await work.finish();
  } finally {
    await work.settle();
  }
  for (const names of named.values()) names.sort();
  return named;
}
