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

/** What the index has of a run. Of one that it has only attempts of, nothing. */
interface KnownRun {
  seen?: string;
  createdAtMs?: number;
}

/** What the index has of an attempt. */
interface KnownAttempt {
  seen: string;
  isOpen: boolean;
  startedAtMs: number;
}

/**
 * The runs that the index has attempts of, and no row. Each is found by the one before it, since they may have very many attempts. Exported
 * for tests of its plan.
 */
export const WITHOUT_ROW = `with recursive attempted (flow, run) as (
  select * from (select flow, run from attempts order by flow, run limit 1) first
  union all select a.flow, a.run from attempted d join attempts a on a.id = coalesce(
    (select b.id from attempts b where b.flow = d.flow and b.run > d.run order by b.run limit 1),
    (select b.id from attempts b where b.flow > d.flow order by b.flow, b.run limit 1)))
  select flow, run from attempted d where not exists (select 1 from runs r where r.flow = d.flow and r.run = d.run)`;

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
    const known = await this.#knownRuns(options);
    const unsettled = await this.#unsettledRuns(options);
    // Oldest first: who had a content first is then found first among all who have it.
    for (const listed of (await listRuns(this.#storage, undefined, options)).reverse()) {
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
    // Another run of that name may have had attempts of the same names. Where it was not known itself, those are older than this one.
    const isOfAnother = ({ startedAtMs }: KnownAttempt): boolean =>
      before?.createdAtMs === undefined ? startedAtMs < createdAtMs : before.createdAtMs !== createdAtMs;
    for await (const { path, attempts } of listTasks(this.#storage, { flow, run }, options)) {
      for (const [attempt, files] of attempts) {
        const id = `${path.step}/${path.task}/${attempt}`;
        const indexed = known.get(id);
        known.delete(id);
        const isSame = indexed?.seen === seenOfAttempt(files) && !indexed.isOpen && !isOfAnother(indexed);
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

  /** With those that it has only attempts of: a catch-up was interrupted among them. */
  async #knownRuns(options: CallOptions): Promise<Map<string, KnownRun>> {
    const runs = await this.#index.read({ text: 'select flow, run, seen, created_at from runs' }, options);
    const attempted = await this.#index.read({ text: WITHOUT_ROW }, options);
    return new Map([
      ...attempted.map(({ flow, run }): [string, KnownRun] => [`${flow}/${run}`, {}]),
      ...runs.map(({ flow, run, seen, created_at }): [string, KnownRun] => [
        `${flow}/${run}`,
        { seen: String(seen), createdAtMs: Number(created_at) },
      ]),
    ]);
  }

  /** Runs with attempts that go on, or that could not be read. */
  async #unsettledRuns(options: CallOptions): Promise<Set<string>> {
    const text = `select flow, run from attempts where status in ('open', 'damaged', 'unreadable')
      union select flow, run from attempts where seen = ''`;
    const rows = await this.#index.read({ text }, options);
    return new Set(rows.map(({ flow, run }) => `${flow}/${run}`));
  }

  async #knownAttempts(flow: string, run: string, options: CallOptions): Promise<Map<string, KnownAttempt>> {
    const text =
      'select step, task, attempt, status, seen, started_at from attempts where flow = $1 and run = $2';
    const rows = await this.#index.read({ text, parameters: [flow, run] }, options);
    return new Map(
      rows.map(({ step, task, attempt, status, seen, started_at }) => [
        `${step}/${task}/${attempt}`,
        { seen: String(seen), isOpen: status === 'open', startedAtMs: Number(started_at ?? 0) },
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
