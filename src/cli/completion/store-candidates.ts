import { defaultStorageUri } from '../../default-storage.ts';
import { attemptNumbersOf, type ListedTask, listAttempts, listTasks } from '../../format/attempt-files.ts';
import { CACHE_FOLDER, parseEntryName } from '../../format/cache-names.ts';
import type { TaskPath } from '../../format/pathspec.ts';
import type { DataStoreStorage } from '../../storage/contract.ts';
import { openStorage } from '../../storage/open.ts';
import { parseStorePath } from '../store-path.ts';

/** The most names that are offered: more, nobody looks through. */
const MAX_NAMES = 300;
/** So many digits of a cache key are offered. */
const KEY_DIGITS = 12;
/** The level of tasks: what lies deeper is seldom asked for. */
const TASK_LEVEL = 3;
/** Comes behind every name that begins with what stands in front of it. */
const LAST_CHARACTER = '\u{10ffff}';

/**
 * Paths that begin with `typed`, one level further: names come out of one LIST of that level. Where there are more than are
 * offered, some are, and with them those that keep the shell from taking for certain what only the first ones begin with.
 */
export async function childrenOfPath(
  store: string | undefined,
  typed: string,
  depth: number,
  signal: AbortSignal,
): Promise<string[]> {
  const parents = typed.split('/');
  const begun = parents.pop() as string;
  const level = parents.length;
  if (level >= depth) return [];
  return withStorage(store, async (storage) => {
    if (level > TASK_LEVEL) {
      const attempts = await attemptNumbers(storage, parents.join('/'), signal);
      return attempts.filter((name) => name.startsWith(begun)).map((name) => [...parents, name].join('/'));
    }
    const [flow = '', run, ...others] = parents;
    const names =
      run === undefined
        ? await namesIn(storage, ['runs', ...parents, ''].join('/'), begun, signal)
        : await ofRun(storage, { flow, run }, signal, (id) =>
            namesIn(storage, ['flows', flow, id, ...others, ''].join('/'), begun, signal),
          );
    if (level === 1) names.push(...(await wordsFrom(begun)).filter((word) => !names.includes(word)));
    const end = level < TASK_LEVEL && level < depth - 1 ? '/' : '';
    return names.map((name) => [...parents, name].join('/') + end);
  });
}

/** What `list` finds of a run: by its id, and where it has nothing, by what the name may stand for (`latest`, the beginning of an id). */
async function ofRun(
  storage: DataStoreStorage,
  { flow, run }: { flow: string; run: string },
  signal: AbortSignal,
  list: (id: string) => Promise<string[]>,
): Promise<string[]> {
  const names = await list(run);
  if (names.length > 0) return names;
  const { meantRun } = await import('../meant-run.ts');
  const id = await meantRun({ storage, signal }, flow, run);
  return id === run ? names : list(id);
}

/** The words for runs that begin so; none before anything is typed, when they would keep what the ids share from being completed. */
async function wordsFrom(begun: string): Promise<string[]> {
  if (begun === '') return [];
  const { RUN_WORDS } = await import('../meant-run.ts');
  return RUN_WORDS.filter((word) => word.startsWith(begun));
}

/** The attempts of a task, the newest first. */
export async function attemptsOf(
  store: string | undefined,
  path: string,
  signal: AbortSignal,
): Promise<string[]> {
  return withStorage(store, (storage) => attemptNumbers(storage, path, signal));
}

/** The artifacts of a task, or of the first task of a step: the only names that a record has to be read for, one description. */
export async function artifactsOf(
  store: string | undefined,
  text: string,
  signal: AbortSignal,
): Promise<string[]> {
  const { flow = '', run = '', step = '', task, attempt } = parseStorePath(text, 3, 5);
  const { readAttempt } = await import('../../attempts/attempt-reader.ts');
  const { ContentReader } = await import('../../content/reading/content-reader.ts');
  return withStorage(store, async (storage) => {
    const rule = { attempt, allowNotDone: true };
    return ofRun(storage, { flow, run }, signal, async (id) => {
      const found =
        task === undefined
          ? await firstTask(storage, { flow, run: id, step }, signal)
          : await listedTask(storage, { flow, run: id, step, task }, signal);
      if (!found) return [];
      const { path, attempts } = found;
      const reader = new ContentReader(storage);
      const read = await readAttempt(storage, reader, path, attempts, rule, { signal });
      return read.described?.table().artifacts.map(({ name }) => name) ?? [];
    });
  });
}

/** The reports of a task: what its description, or a LIST, tells. */
export async function reportsOfTask(
  store: string | undefined,
  text: string,
  signal: AbortSignal,
): Promise<string[]> {
  const { flow = '', run = '', step = '', task = '', attempt } = parseStorePath(text, 4, 5);
  const { readAttempt } = await import('../../attempts/attempt-reader.ts');
  const { ContentReader } = await import('../../content/reading/content-reader.ts');
  const { reportsOf } = await import('../../reports/report-reader.ts');
  return withStorage(store, (storage) =>
    ofRun(storage, { flow, run }, signal, async (id) => {
      const found = await listedTask(storage, { flow, run: id, step, task }, signal);
      if (!found) return [];
      const rule = { attempt, allowNotDone: true };
      const reader = new ContentReader(storage);
      const read = await readAttempt(storage, reader, found.path, found.attempts, rule, { signal });
      return (await reportsOf({ storage }, read, { signal })).map(({ name }) => name);
    }),
  );
}

async function listedTask(
  storage: DataStoreStorage,
  path: TaskPath,
  signal: AbortSignal,
): Promise<ListedTask | undefined> {
  const attempts = await listAttempts(storage, path, { signal });
  return attempts.size === 0 ? undefined : { path, attempts };
}

/** The tasks of a step are alike, so that what one has can be asked for of all. */
async function firstTask(
  storage: DataStoreStorage,
  path: Omit<TaskPath, 'task'>,
  signal: AbortSignal,
): Promise<ListedTask | undefined> {
  for await (const task of listTasks(storage, path, { signal })) return task;
  return undefined;
}

/** Keys of the cache that begin with `begun`, as far as people type them: one LIST. */
export async function cacheKeysFrom(
  store: string | undefined,
  begun: string,
  signal: AbortSignal,
): Promise<string[]> {
  if (!/^[0-9a-f]{0,64}$/.test(begun)) return [];
  return withStorage(store, async (storage) => {
    const keys = await someOfMany(begun, async (behind, most) => {
      const found: string[] = [];
      const startAfter = behind === undefined ? undefined : cachePathOf(behind) + LAST_CHARACTER;
      for await (const page of storage.list({ prefix: cachePathOf(begun), startAfter, signal })) {
        // Leases lie between the entries.
        found.push(...page.objects.flatMap(({ name }) => parseEntryName(name) ?? []));
        if (found.length >= most) break;
      }
      return found.slice(0, most);
    });
    return keys.map((key) => key.slice(0, Math.max(KEY_DIGITS, begun.length)));
  });
}

/** The folders of the entries whose keys begin with `begun`. */
function cachePathOf(begun: string): string {
  return CACHE_FOLDER + (begun.length < 3 ? begun : `${begun.slice(0, 3)}/${begun}`);
}

async function attemptNumbers(
  storage: DataStoreStorage,
  text: string,
  signal: AbortSignal,
): Promise<string[]> {
  const { flow = '', run = '', step = '', task = '' } = parseStorePath(text, 4, 4);
  return ofRun(storage, { flow, run }, signal, async (id) => {
    const attempts = await listAttempts(storage, { flow, run: id, step, task }, { signal });
    return attemptNumbersOf(attempts).reverse().map(String);
  });
}

/** The names directly below a folder that begin with `begun`. */
async function namesIn(
  storage: DataStoreStorage,
  folder: string,
  begun: string,
  signal: AbortSignal,
): Promise<string[]> {
  return someOfMany(begun, async (behind, most) => {
    const names: string[] = [];
    for await (const page of storage.list({
      prefix: folder + begun,
      depth: 'one',
      startAfter: behind === undefined ? undefined : folder + behind + LAST_CHARACTER,
      limit: most,
      signal,
    })) {
      for (const child of page.folders) names.push(child.slice(folder.length, -1));
    }
    return names;
  });
}

/** The first of the names that begin with `begun`, and some that have less in common with them, if there are more. */
async function someOfMany(
  begun: string,
  /** Takes at most `most` of them, in order: all, or those behind the names that begin with `behind`. */
  list: (behind: string | undefined, most: number) => Promise<string[]>,
): Promise<string[]> {
  const names = await list(undefined, MAX_NAMES);
  if (names.length < MAX_NAMES) return names;
  // Each of these begins alike with fewer characters than the one before, so that there are few.
  for (let prefix = commonPrefix(names); prefix.length > begun.length; prefix = commonPrefix(names)) {
    const [other] = await list(prefix, 1);
    if (other === undefined) break;
    names.push(other);
  }
  return names;
}

/** The beginning that all names share; they are in order. */
function commonPrefix(names: readonly string[]): string {
  const [first = '', last = ''] = [names[0], names.at(-1)];
  let length = 0;
  while (length < first.length && first[length] === last[length]) length += 1;
  return first.slice(0, length);
}

async function withStorage<T>(
  store: string | undefined,
  work: (storage: DataStoreStorage) => Promise<T>,
): Promise<T> {
  const storage = await openStorage(store ?? defaultStorageUri());
  try {
    return await work(storage);
  } finally {
    await storage.close();
  }
}
