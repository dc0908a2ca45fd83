import { type ListedRun, listRuns } from '../attempts/run-listing.ts';
import { listTasks } from '../format/attempt-files.ts';
import { CACHE_FOLDER, parseEntryName } from '../format/cache-names.ts';
import { listVersions } from '../format/published-names.ts';
import type { CallOptions, DataStoreStorage, ListedObject } from '../storage/contract.ts';
import type { ChangePage, ChangeSource, ChangesOptions } from './changes.ts';
import type { IndexDatabase } from './index-database.ts';
import { seenOfAttempt, seenOfPublished, seenOfRun } from './row-values.ts';
import type { Subject } from './subjects.ts';

/** A page has about so many subjects. */
const PAGE = 500;

/** What the index has of a run. */
interface KnownRun {
  seen: string;
  createdAtMs: number;
}

/** What the index has of an attempt. */
interface KnownAttempt {
  seen: string;
  isOpen: boolean;
}

/**
 * Finds what changed in a folder or a bucket by listing. Of runs: those that are new, that ended, were pinned or removed, and the tasks of
 * those that are open, or that the index has open attempts of. Of the cache: all. Of published versions: those that are new, or were
 * withdrawn. What happens to tasks of a run that ended, as retention, erasure or another attempt, and the erasure of what was published,
 * only `full` finds, which lists the tasks of all runs and reads all published versions that were not withdrawn.
 *
 * Requests: a LIST of `runs/`, of `cache/` and of `names/`, a LIST for each run whose tasks are looked at, and what reading the changes
 * takes. Memory: a few hundred bytes for each run and published version, and for each attempt of the run that is compared.
 */
export class ListedChanges implements ChangeSource {
  readonly #storage: DataStoreStorage;
  readonly #index: IndexDatabase;

  constructor(storage: DataStoreStorage, index: IndexDatabase) {
    this.#storage = storage;
    this.#index = index;
  }

  async *changes({ full = false, signal }: ChangesOptions): AsyncGenerator<ChangePage> {
    for await (const subjects of paged(this.#subjects(full, { signal }))) yield { subjects };
  }

  async *#subjects(full: boolean, options: CallOptions): AsyncGenerator<Subject> {
    // Before the listing: a run that another process adds meanwhile is not taken for gone.
    const known = await this.#knownRuns(full, options);
    const unsettled = await this.#unsettledRuns(options);
    for (const listed of await listRuns(this.#storage, undefined, options)) {
      const { flow, run, finished } = listed;
      const id = `${flow}/${run}`;
      const before = known.get(id);
      known.delete(id);
      const isChanged = before?.seen !== seenOfRun(listed);
      if (full || isChanged || !finished || unsettled.has(id)) yield* this.#tasks(listed, before, options);
      // Behind its tasks: an index that has the run as it is has all of it.
      if (isChanged) yield { kind: 'run', flow, run, listed };
    }
    for (const id of known.keys()) {
      const [flow, run] = id.split('/') as [string, string];
      yield { kind: 'run', flow, run };
    }
    yield* this.#entries(options);
    yield* this.#published(full, options);
  }

  async *#tasks(
    { flow, run, createdAtMs }: ListedRun,
    before: KnownRun | undefined,
    options: CallOptions,
  ): AsyncGenerator<Subject> {
    const known = await this.#knownAttempts(flow, run, options);
    // Another run of that name may have had attempts of the same names.
    const isAnother = before !== undefined && before.createdAtMs !== createdAtMs;
    for await (const { path, attempts } of listTasks(this.#storage, { flow, run }, options)) {
      for (const [attempt, files] of attempts) {
        const id = `${path.step}/${path.task}/${attempt}`;
        const indexed = known.get(id);
        known.delete(id);
        const isSame = indexed?.seen === seenOfAttempt(files) && !indexed.isOpen && !isAnother;
        if (!isSame) yield { kind: 'attempt', path, attempt, files };
      }
    }
    for (const id of known.keys()) {
      const [step, task, attempt] = id.split('/') as [string, string, string];
      yield { kind: 'attempt', path: { flow, run, step, task }, attempt: Number(attempt) };
    }
  }

  async *#entries(options: CallOptions): AsyncGenerator<Subject> {
    let after = '';
    const listing = this.#storage.list({ prefix: CACHE_FOLDER, details: true, ...options });
    for await (const { objects } of listing) {
      const listed = new Map(objects.flatMap(seenOfEntry));
      const last = [...listed.keys()].at(-1);
      if (last === undefined) continue;
      const known = await this.#knownEntries(after, last, options);
      for (const [key, seen] of listed) if (known.get(key) !== seen) yield { kind: 'entry', key, seen };
      for (const key of known.keys()) if (!listed.has(key)) yield { kind: 'entry', key };
      after = last;
    }
    for (const key of (await this.#knownEntries(after, undefined, options)).keys())
      yield { kind: 'entry', key };
  }

  async *#published(full: boolean, options: CallOptions): AsyncGenerator<Subject> {
    const rows = await this.#index.read({ text: 'select name, version, seen from published' }, options);
    const known = new Map(rows.map((row) => [`${row.name}/${row.version}`, String(row.seen)]));
    for await (const listed of listVersions(this.#storage, options)) {
      const { name, version, withdrawn } = listed;
      const id = `${name}/${version}`;
      const isSame = known.get(id) === seenOfPublished(listed);
      known.delete(id);
      if (!isSame || (full && !withdrawn)) yield { kind: 'published', name, version, withdrawn };
    }
    for (const id of known.keys()) {
      const [name, version] = id.split('/') as [string, string];
      yield { kind: 'published', name, version: Number(version) };
    }
  }

  /** Where all is compared, runs that the index has only attempts of as well: a catch-up was interrupted, and they were removed. */
  async #knownRuns(full: boolean, options: CallOptions): Promise<Map<string, KnownRun>> {
    const attempted = `select distinct a.flow, a.run, '' as seen, 0 as created_at from attempts a
      where not exists (select 1 from runs r where r.flow = a.flow and r.run = a.run)`;
    const text = `select flow, run, seen, created_at from runs${full ? ` union all ${attempted}` : ''}`;
    const rows = await this.#index.read({ text }, options);
    return new Map(
      rows.map(({ flow, run, seen, created_at }) => [
        `${flow}/${run}`,
        { seen: String(seen), createdAtMs: Number(created_at) },
      ]),
    );
  }

  /** Runs with attempts that go on, or that could not be read. */
  async #unsettledRuns(options: CallOptions): Promise<Set<string>> {
    const text = `select flow, run from attempts where status in ('open', 'damaged', 'unreadable')
      union select flow, run from attempts where seen = ''`;
    const rows = await this.#index.read({ text }, options);
    return new Set(rows.map(({ flow, run }) => `${flow}/${run}`));
  }

  async #knownAttempts(flow: string, run: string, options: CallOptions): Promise<Map<string, KnownAttempt>> {
    const text = 'select step, task, attempt, status, seen from attempts where flow = $1 and run = $2';
    const rows = await this.#index.read({ text, parameters: [flow, run] }, options);
    return new Map(
      rows.map(({ step, task, attempt, status, seen }) => [
        `${step}/${task}/${attempt}`,
        { seen: String(seen), isOpen: status === 'open' },
      ]),
    );
  }

  async #knownEntries(
    after: string,
    last: string | undefined,
    options: CallOptions,
  ): Promise<Map<string, string>> {
    const end = last === undefined ? '' : ' and key <= $2';
    const text = `select key, seen from cache_entries where key > $1${end}`;
    const parameters = last === undefined ? [after] : [after, last];
    const rows = await this.#index.read({ text, parameters }, options);
    return new Map(rows.map(({ key, seen }) => [String(key), String(seen)]));
  }
}

function seenOfEntry({ name, bytes, modifiedAtMs }: ListedObject): [string, string][] {
  const key = parseEntryName(name);
  return key === undefined ? [] : [[key, `${modifiedAtMs}.${bytes}`]];
}

async function* paged(subjects: AsyncIterable<Subject>): AsyncGenerator<Subject[]> {
  let page: Subject[] = [];
  for await (const subject of subjects) {
    page.push(subject);
    if (page.length < PAGE) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}
