import { mapBounded } from '../async/bounded-work.ts';
import { type ReadAttempt, type ReadRule, readAttempt, readTask } from '../attempts/attempt-reader.ts';
import { MetadataCache } from '../attempts/metadata-cache.ts';
import type { AttemptContext } from '../attempts/open-attempt.ts';
import type { ByteCache } from '../content/caches/byte-cache.ts';
import type { ContentStore } from '../content/content-store.ts';
import { invalidArgument, isStowageError, StowageError } from '../errors.ts';
import {
  type ListAttemptsOptions,
  type ListedTask,
  listAttempts,
  listTasks,
  type TaskAttempts,
} from '../format/attempt-files.ts';
import { formatPathspec, type Pathspec, parsePathspec, type TaskPath } from '../format/pathspec.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import type { SerializerRegistry } from '../values/registry.ts';
import {
  incomplete,
  LEFT_OUT,
  type LeftOutTask,
  leftOutBy,
  type OpenedTasks,
  withLeftOut,
} from './left-out.ts';
import { requireRun, stepNotFound } from './run-selection.ts';
import { TaskDataStore } from './task-data-store.ts';
import {
  checkNameList,
  checkOfRun,
  type GetTasksOptions,
  isByName,
  type TaskRule,
  type TaskSelection,
  taskRuleOf,
} from './task-selection.ts';

/** So many tasks are read at once. */
const CONCURRENCY = 32;
/** The names that a page of a listing holds. */
const PAGE_NAMES = 1_000;

/** Tasks that were read, and those of the run that were not. */
export interface SelectedTasks {
  read: ReadAttempt[];
  leftOut: LeftOutTask[];
}

/** A task that was asked for by name. */
interface NamedTask {
  path: TaskPath;
  rule: TaskRule;
}

/** Opens attempts of a flow for reading: one, those of a run, or many by name. */
export class TaskOpener {
  /** The flow's name. */
  readonly flow: string;
  readonly content: ContentStore;
  readonly #registry: SerializerRegistry;
  #cache: MetadataCache | undefined;

  constructor(flow: string, { content, registry }: Pick<AttemptContext, 'content' | 'registry'>) {
    this.flow = flow;
    this.content = content;
    this.#registry = registry;
  }

  /** Looks into a cache for the records of closed attempts; `undefined` for none. */
  useMetadataCache(cache: ByteCache | undefined): void {
    this.#cache = cache === undefined ? undefined : new MetadataCache(this.content, cache);
  }

  /** One task. Three requests. */
  async open(pathspec: string, rule: ReadRule, options: CallOptions): Promise<ReadAttempt> {
    const named = this.#named(parsePathspec(pathspec), rule);
    return this.#readTask(named, options);
  }

  /** One task that is done; `undefined` for whatever is not there, or not done. */
  async find(
    pathspec: string,
    rule: Pick<ReadRule, 'attempt'>,
    options: CallOptions,
  ): Promise<ReadAttempt | undefined> {
    const named = this.#named(parsePathspec(pathspec), rule);
    if (!(await this.content.isThereToRead(options))) return undefined;
    const attempts = await listAttempts(this.#storage, named.path, this.#listing(options));
    return this.findAmong(named.path, attempts, named.rule, options);
  }

  /** One attempt of a task whose attempts were listed by {@link attemptsOf}; `undefined` for one that the rule does not let be read. Two requests. */
  async findAmong(
    path: TaskPath,
    attempts: TaskAttempts,
    rule: ReadRule,
    options: CallOptions,
  ): Promise<ReadAttempt | undefined> {
    if (attempts.size === 0) return undefined;
    try {
      return await this.#readAttempt(path, attempts, rule, options);
    } catch (error) {
      if (isStowageError(error, ...LEFT_OUT)) return undefined;
      throw error;
    }
  }

  /** Tasks as users hold them, chosen as {@link select} does. */
  async stores(selection: TaskSelection & CallOptions): Promise<OpenedTasks> {
    const { read, leftOut } = await this.select(selection);
    return withLeftOut(
      read.map((one) => this.toStore(one)),
      leftOut,
    );
  }

  toStore(read: ReadAttempt): TaskDataStore {
    return new TaskDataStore(this.content, this.#registry, read);
  }

  /**
   * The tasks of a run, or tasks by name.
   *
   * @throws StowageError `RUN_NOT_FOUND`, `STEP_NOT_FOUND`, `INVALID_ARGUMENT`, and what reading them throws
   */
  async select(selection: TaskSelection & CallOptions): Promise<SelectedTasks> {
    const byName = isByName(selection);
    const options = { signal: selection.signal };
    if (byName) {
      await this.content.prepareToRead(options);
      return { read: await this.#byName(selection.pathspecs, selection, options), leftOut: [] };
    }
    checkOfRun(selection);
    // Nobody can have misspelt what is not there yet; what is required must be.
    if (selection.require) await this.content.prepareToRead(options);
    else if (!(await this.content.isThereToRead(options))) return { read: [], leftOut: [] };
    return this.#ofRun(selection, options);
  }

  /** The tasks of a run that the rules let be read, in the order of their names, and the others. */
  async #ofRun(
    { runId: run, steps, require, ...rules }: GetTasksOptions,
    options: CallOptions,
  ): Promise<SelectedTasks> {
    const { flow } = this;
    const rule = taskRuleOf(rules);
    const tasks: ListedTask[] = [];
    for (const step of steps ? new Set(steps) : [undefined]) {
      const before = tasks.length;
      const listed = listTasks(this.#storage, { flow, run, step }, this.#listing(options));
      for await (const task of listed) tasks.push(task);
      if (tasks.length > before) continue;
      await requireRun(this.#storage, flow, run, options);
      if (step !== undefined) throw await stepNotFound(this.#storage, { flow, run, step }, options);
    }
    const read = await mapBounded(tasks, CONCURRENCY, async ({ path, attempts }) => {
      try {
        return await this.#read(path, attempts, rule, options);
      } catch (error) {
        return leftOutBy(error, path);
      }
    });
    const leftOut = read.filter((one) => !Array.isArray(one)) as LeftOutTask[];
    const [first, ...others] = leftOut;
    if (first && require) throw incomplete({ flow, run }, [first, ...others], tasks.length);
    return { read: read.flatMap((one) => (Array.isArray(one) ? one : [])), leftOut };
  }

  /** Tasks by name, in the order of `pathspecs`; one that cannot be read is an error. */
  async #byName(pathspecs: readonly string[], rules: TaskRule, options: CallOptions): Promise<ReadAttempt[]> {
    checkNameList(pathspecs, 'pathspecs');
    const rule = taskRuleOf(rules);
    const named = pathspecs.map((pathspec) => this.#named(parsePathspec(pathspec), rule));
    const listed = await this.#listNamed(named, options);
    const read = await mapBounded(named, CONCURRENCY, async (task) => {
      const attempts = listed.get(taskId(task.path));
      if (attempts) return this.#read(task.path, attempts, task.rule, options);
      const found = await listAttempts(this.#storage, task.path, this.#listing(options));
      // Reading it says what is missing.
      if (found.size === 0) return [await this.#readTask(task, options)];
      return this.#read(task.path, found, task.rule, options);
    });
    return read.flat();
  }

  /** The attempts of tasks, in the order of `paths`; none of one that is not there. Tasks of one step are listed together. */
  async attemptsOf(paths: readonly TaskPath[], options: CallOptions): Promise<TaskAttempts[]> {
    const named = paths.map((path) => ({ path }));
    const listed = await this.#listNamed(named, options);
    return mapBounded(
      paths,
      CONCURRENCY,
      async (path) =>
        listed.get(taskId(path)) ?? (await listAttempts(this.#storage, path, this.#listing(options))),
    );
  }

  /** The attempt of a pathspec, the latest started without a number. It must be closed, as done or otherwise. */
  async closedAttempt(pathspec: string, options: CallOptions): Promise<{ path: TaskPath; attempt: number }> {
    const { path, attempt, status } = await this.open(pathspec, { allowNotDone: true }, options);
    if (status !== 'open') return { path, attempt };
    throw new StowageError(
      'ATTEMPT_NOT_DONE',
      `Attempt ${formatPathspec(path, attempt)} of flow ${path.flow} is still open, and its logs are its owner's: wait until it is closed, or scrub them there.`,
      { details: { flow: path.flow, pathspec: formatPathspec(path, attempt) } },
    );
  }

  get #storage(): DataStoreStorage {
    return this.content.storage;
  }

  #named({ attempt, ...names }: Pathspec, rule: TaskRule): NamedTask {
    if (attempt !== undefined && rule.attempt !== undefined && rule.attempt !== attempt) {
      throw invalidArgument(
        `The pathspec asks for attempt ${attempt}, the options for ${String(rule.attempt)}; give one of them.`,
      );
    }
    return {
      path: { flow: this.flow, ...names },
      rule: attempt === undefined ? rule : { ...rule, attempt },
    };
  }

  /**
   * The attempts of tasks of one step by one LIST of it, where that takes no more pages than listing each would
   * take requests. Tasks that it does not show are listed by themselves.
   */
  async #listNamed(
    named: readonly Pick<NamedTask, 'path'>[],
    options: CallOptions,
  ): Promise<Map<string, TaskAttempts>> {
    const steps = new Map<string, TaskPath[]>();
    for (const { path } of named) {
      const id = `${path.run}/${path.step}`;
      const group = steps.get(id);
      if (group) group.push(path);
      else steps.set(id, [path]);
    }
    const listed = new Map<string, TaskAttempts>();
    for (const paths of steps.values()) {
      if (paths.length === 1) continue;
      const wanted = new Set(paths.map(taskId));
      const limit = paths.length * PAGE_NAMES;
      for await (const { path, attempts } of listTasks(this.#storage, paths[0] as TaskPath, {
        ...this.#listing(options),
        limit,
      })) {
        if (wanted.has(taskId(path))) listed.set(taskId(path), attempts);
        if (listed.size === wanted.size) break;
      }
    }
    return listed;
  }

  async #read(
    path: TaskPath,
    attempts: TaskAttempts,
    rule: TaskRule,
    options: CallOptions,
  ): Promise<ReadAttempt[]> {
    if (!rule.includePrior) return [await this.#readAttempt(path, attempts, rule, options)];
    const last = typeof rule.attempt === 'number' ? rule.attempt : Number.POSITIVE_INFINITY;
    const found: ReadAttempt[] = [];
    for (const [attempt, files] of [...attempts].sort(([a], [b]) => a - b)) {
      if (attempt > last || files.has('deleted') || !(files.has('done') || rule.allowNotDone)) continue;
      const anyStatus = { attempt, allowNotDone: true };
      const read = await this.#readAttempt(path, attempts, anyStatus, options);
      if (read.status === 'done' || rule.allowNotDone) found.push(read);
    }
    // None: the attempt that stands for the task says why.
    if (found.length === 0) found.push(await this.#readAttempt(path, attempts, rule, options));
    return found;
  }

  /** A metadata cache has to tell one DONE from another. */
  #listing({ signal }: CallOptions): ListAttemptsOptions {
    return { signal, details: this.#cache !== undefined };
  }

  #readTask({ path, rule }: NamedTask, { signal }: CallOptions): Promise<ReadAttempt> {
    const options = { signal, metadataCache: this.#cache };
    return readTask(this.#storage, this.content.reader, path, rule, options);
  }

  #readAttempt(
    path: TaskPath,
    attempts: TaskAttempts,
    rule: ReadRule,
    { signal }: CallOptions,
  ): Promise<ReadAttempt> {
    // Many are opened for the values of a few, or to be counted.
    const options = { signal, metadataCache: this.#cache, late: true };
    return readAttempt(this.#storage, this.content.reader, path, attempts, rule, options);
  }
}

function taskId({ run, step, task }: TaskPath): string {
  return `${run}/${step}/${task}`;
}
