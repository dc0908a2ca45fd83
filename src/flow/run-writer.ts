import { BoundedMap } from '../async/bounded-map.ts';
import type { ProgressOptions } from '../async/progress.ts';
import { type OpenAttemptOptions, openAttempt } from '../attempts/attempt-opening.ts';
import { toMetadata } from '../attempts/metadata-parts.ts';
import type { AttemptContext, OpenAttempt } from '../attempts/open-attempt.ts';
import { checkRawDataPath, type RawDataPathOptions } from '../content/places/raw-data-path.ts';
import type { ContentAddressedStore } from '../content-addressed-store.ts';
import { invalidArgument, isStowageError, StowageError } from '../errors.ts';
import { HERE } from '../format/content-ref.ts';
import { LABEL } from '../format/label.ts';
import { splitRunName, type TaskPath, validateTaskNames } from '../format/pathspec.ts';
import { createdName, createRunRecord, type RunDescription, type RunMade } from '../format/run-records.ts';
import { checkMembers } from '../options/option-names.ts';
import { ANYTHING, checkKinds, NAMES, type OptionTable, PROGRESS_OPTIONS } from '../options/option-table.ts';
import { giveUpSession } from '../sessions/standalone-session.ts';
import type { CallOptions } from '../storage/contract.ts';
import { validateUserName } from '../storage/names.ts';
import { checkResumed, type Resumption } from './resumed-run.ts';
import { checkCode, keepCode, type RunCodeOptions } from './run-code.ts';
import { checkAttempt } from './task-selection.ts';

/** A task, and an attempt of it. */
export interface TaskSpec extends RawDataPathOptions {
  runId: string;
  stepName: string;
  taskId: string;
  /** The attempt's number, from 0. Default: the next one that nobody has opened. */
  attempt?: number | undefined;
  /** A name for people, shown and searched beside its own: a line of text of at most 256 bytes. Default: none. */
  label?: string | undefined;
}

/** Options of `FlowDataStore.createRun`; `onProgress` tells how far the code is kept. */
export interface CreateRunOptions
  extends Partial<RunDescription>,
    RawDataPathOptions,
    CallOptions,
    ProgressOptions {
  /** Default: the time as ISO 8601. */
  runId?: string | undefined;
  /**
   * The folder of the sources that make the run, which are kept as long as the run: its path, or that and what is taken of it. What
   * `.gitignore` and `.stowageignore` leave out is, and so are `node_modules`, `.git` and the store's own folder. Default: none.
   */
  code?: string | URL | RunCodeOptions | undefined;
  /**
   * Another run of the flow, `<flow>/<run>`, that this one resumes: a task that is done there is taken over where the same step and task is asked for, if
   * all that it read from that run was taken over as well. Its parameters are this run's unless others are given. Default: none.
   */
  resume?: string | undefined;
  /** What is run again in any case: steps, tasks as `<step>/<task>`, or pathspecs of the run that is resumed. Default: none. */
  rerun?: readonly string[] | undefined;
}

/** Those that are `ANYTHING` are checked by what they are used for. */
export const CREATE_RUN: OptionTable<CreateRunOptions> = {
  ...PROGRESS_OPTIONS,
  runId: ANYTHING,
  tags: ANYTHING,
  parameters: ANYTHING,
  parents: ANYTHING,
  rawDataPath: ANYTHING,
  code: ANYTHING,
  resume: ANYTHING,
  rerun: NAMES,
};
const TASK_SPEC: OptionTable<TaskSpec> = {
  runId: ANYTHING,
  stepName: ANYTHING,
  taskId: ANYTHING,
  attempt: ANYTHING,
  label: LABEL,
  rawDataPath: ANYTHING,
};
/** So many runs are remembered as made. */
const KNOWN_RUNS = 10_000;
/** A run that was there so long ago is looked for again, in milliseconds: somebody may have removed it, and what is written then is listed by its record. */
const KNOWN_MS = 10_000;
/** A run, as far as opening attempts in it needs that. */
interface KnownRun extends Pick<RunMade, 'rawDataPath'> {
  resumption: Resumption | undefined;
  /** When it was last there, by `performance.now()`. */
  seenMs: number;
}
const NOTHING_SAID: RunDescription = { tags: [], parameters: {}, parents: [] };

/** Makes the runs of a flow, and opens attempts in them. */
export class RunWriter {
  readonly #flow: string;
  readonly #context: AttemptContext;
  /** The runs that this process has made, or found made, with where their content goes, and what they resume. */
  readonly #known = new BoundedMap<string, KnownRun>(KNOWN_RUNS);

  constructor(flow: string, context: AttemptContext) {
    this.#flow = flow;
    this.#context = context;
  }

  /**
   * Makes a run, whose content goes to the place at `rawDataPath` if there is one. Resolves to its id.
   *
   * @throws StowageError `RUN_EXISTS`, `INVALID_NAME`, `INVALID_ARGUMENT`; `RUN_NOT_FOUND`, `STEP_NOT_FOUND`, `TASK_NOT_FOUND` for what it resumes;
   * for its code as `Directories.fromLocal`
   */
  async create(options: CreateRunOptions): Promise<string> {
    const { runId = new Date().toISOString(), tags = [], parents = [], signal, onProgress } = options;
    const address = checkRawDataPath(options.rawDataPath);
    const run = validateUserName(runId, 'run id');
    const given = checkRunDescription({ tags, parameters: options.parameters ?? {}, parents });
    const codeOptions = checkCode(options.code);
    const content = this.#content;
    const resumption = await checkResumed(content, this.#flow, options, { signal });
    const parameters = options.parameters === undefined ? resumption?.parameters : undefined;
    const description = parameters === undefined ? given : { ...given, parameters };
    await content.prepareToWrite({ signal });
    const rawDataPath = address && (await this.#registerPlace(address, { signal }));
    const record = {
      ...description,
      ...(rawDataPath === undefined ? {} : { rawDataPath }),
      ...(resumption ? { resumes: `${this.#flow}/${resumption.run}` } : {}),
      ...(resumption && resumption.rerun.size > 0 ? { rerun: [...resumption.rerun] } : {}),
    };
    // Nothing is kept for a run that is there; one that another process makes meanwhile is found below.
    if (codeOptions && (await content.storage.head(createdName(this.#flow, run), { signal })))
      throw runExists(this.#flow, run);
    const code =
      codeOptions && (await keepCode(content, codeOptions, { rawDataPath: address, signal, onProgress }));
    try {
      const full = code ? { ...record, code } : record;
      const made = await createRunRecord(content.storage, this.#flow, run, full, { signal });
      if (!made.isNew) throw runExists(this.#flow, run);
      this.#know(run, made);
      return run;
    } catch (error) {
      // After any other failure the record may be there, or come yet, and name the session.
      const isUnnamed = isStowageError(error, 'RUN_EXISTS', 'INVALID_ARGUMENT');
      if (code && isUnnamed) await giveUpSession(content.storage, code.session, error);
      throw error;
    }
  }

  /**
   * Opens an attempt of a task, and makes its run if nobody has.
   *
   * @throws StowageError `ATTEMPT_EXISTS` where the given number is taken; `INVALID_NAME`, `INVALID_ARGUMENT`
   */
  async open(
    spec: TaskSpec,
    { signal, hints }: CallOptions & Pick<OpenAttemptOptions, 'hints'>,
  ): Promise<OpenAttempt> {
    const path = this.#check(spec);
    const own = checkRawDataPath(spec.rawDataPath);
    await this.#content.prepareToWrite({ signal });
    const run = await this.#ensure(path.run, { signal });
    const recorded =
      own === undefined && run.rawDataPath !== undefined
        ? await this.#content.otherPlaces.recordedAddress(run.rawDataPath)
        : undefined;
    const rawDataPath = own ?? recorded ?? this.#content.rawDataPath;
    return openAttempt(this.#context, path, {
      attempt: spec.attempt,
      label: spec.label,
      rawDataPath,
      hints,
      signal,
    });
  }

  /**
   * Tells what the run of a task resumes; `undefined` where that is nothing. Makes the run if nobody has.
   *
   * @throws StowageError as {@link open}
   */
  async resumptionOf(spec: TaskSpec, { signal }: CallOptions): Promise<Resumption | undefined> {
    const known = this.#known.get(Object(spec).runId);
    if (known && !known.resumption) return undefined; // as most runs, and at no cost
    const path = this.#check(spec);
    if (!known) await this.#content.prepareToWrite({ signal });
    return (known ?? (await this.#ensure(path.run, { signal }))).resumption;
  }

  get #content(): ContentAddressedStore {
    return this.#context.content;
  }

  /** The path of a task, whose names and members are what they have to be. */
  #check(spec: TaskSpec): TaskPath {
    if (typeof spec !== 'object' || spec === null)
      throw invalidArgument('A task is named by an object: { runId, stepName, taskId }.');
    checkMembers(spec, 'A task', Object.keys(TASK_SPEC));
    checkKinds(spec, TASK_SPEC);
    const names = { run: spec.runId, step: spec.stepName, task: spec.taskId };
    const path = { flow: this.#flow, ...validateTaskNames(names) };
    if (spec.attempt !== undefined) checkAttempt(spec.attempt);
    return path;
  }

  /** The first opener of a run in a process creates created.json if absent, or reads what it says. Later ones now and then see that it is there. */
  async #ensure(run: string, options: CallOptions): Promise<KnownRun> {
    const known = this.#known.get(run);
    if (known && (await this.#isThere(run, known, options))) return known;
    const made = await createRunRecord(this.#content.storage, this.#flow, run, NOTHING_SAID, options);
    return this.#know(run, made);
  }

  async #isThere(run: string, known: KnownRun, { signal }: CallOptions): Promise<boolean> {
    const nowMs = performance.now();
    if (nowMs - known.seenMs < KNOWN_MS) return true;
    if (!(await this.#content.storage.head(createdName(this.#flow, run), { signal }))) return false;
    known.seenMs = nowMs;
    return true;
  }

  #know(run: string, { rawDataPath, resumes, rerun = [] }: RunMade): KnownRun {
    const resumed = splitRunName(resumes);
    // Only a run of the same flow, as `createRun` has it: anything else is not for us to take over.
    const isOurs = resumed?.flow === this.#flow;
    const known = {
      rawDataPath,
      resumption: isOurs ? { run: resumed.run, rerun: new Set(rerun) } : undefined,
      seenMs: performance.now(),
    };
    this.#known.set(run, known);
    return known;
  }

  /** Registers the place that an address leads to, and returns what created.json keeps of it; of the store itself nothing. */
  async #registerPlace(address: string, options: CallOptions): Promise<string> {
    const places = this.#content.otherPlaces;
    const place = await places.register(address, options);
    return place === HERE ? HERE : (await places.find(place, options)).uri;
  }
}

function runExists(flow: string, run: string): StowageError {
  return new StowageError(
    'RUN_EXISTS',
    `Flow ${flow} has a run ${run} already. Choose another id, or open it with run(${JSON.stringify(run)}).`,
    { details: { flow, run } },
  );
}

/** @throws StowageError `INVALID_ARGUMENT`, `INVALID_NAME` */
function checkRunDescription({ tags, parameters, parents }: RunDescription): RunDescription {
  const isTags = Array.isArray(tags) && tags.every((tag) => typeof tag === 'string');
  if (!isTags || !Array.isArray(parents))
    throw invalidArgument('The tags and parents of a run must be lists of text.');
  parents.forEach(checkParent);
  return { tags, parents, parameters: toMetadata(parameters, 'parameters') };
}

/** A parent is `<flow>/<run>`, each a name. */
function checkParent(parent: unknown): void {
  const named = splitRunName(parent);
  if (!named) {
    const given = typeof parent === 'string' ? JSON.stringify(parent) : String(parent);
    throw invalidArgument(`The parent ${given} is not <flow>/<run>.`);
  }
  validateUserName(named.flow, 'flow of a parent');
  validateUserName(named.run, 'run of a parent');
}
