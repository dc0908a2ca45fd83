import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { isStowageError, messageOf, throwIfAborted } from '../errors.ts';
import { checkOptionNames } from '../options/option-names.ts';
import { isNativeFunction } from '../values/intrinsics.ts';
import { SerializerRegistry } from '../values/registry.ts';
import { type CodePart, codePartOf, FilePart } from './code-part.ts';
import { knownSourceOf, type SourceFunction, sourceOf } from './function-source.ts';
import { valueDigest } from './key-encoding.ts';
import { invalidTask } from './key-fault.ts';
import type { KeyListing } from './key-listing.ts';

/** The code of a task, for `version: 'auto'`. */
export interface CodeOptions {
  /** The task's function. */
  readonly run: SourceFunction;
  /**
   * Everything else that the result depends on: functions and classes by their source, cached tasks by all that is part of their keys but the input,
   * files (a path, from the working directory, or a `file:` URL) by their bytes. Their order counts; the paths of files do not.
   * Default: nothing.
   */
  readonly dependsOn?: readonly (SourceFunction | string | URL)[] | undefined;
  /** Changed by hand to make everything run again. Default: none. */
  readonly salt?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A version made of code. */
export interface CodeVersion {
  readonly digest: string;
  /** The digest of each part, for `explainKeys`. */
  readonly places: KeyListing;
  /**
   * Variables that the task's function, and the functions of `dependsOn`, use and do not declare, and that no function of `dependsOn` has as its name:
   * what is there is no part of the version.
   */
  readonly freeVariables: readonly FreeVariable[];
}

/** A variable that a function uses and does not declare. */
export interface FreeVariable {
  /** `k`, `process.env.MODEL`, `import("./model.js")`, `this`; `prompts_1.judge`, where a compiler made that of an import. */
  readonly name: string;
  /** The function that uses it: `run`, `dependsOn[0]`. */
  readonly place: string;
}

const LISTED_DIGITS = 16;
const registry = new SerializerRegistry();

/**
 * The version of a task by the source of its function and of what it depends on. Comments and layout do not count.
 *
 * Only the source counts: not what a function closes over (`freeVariables` names it), nor what it imports or calls, unless `dependsOn` names
 * it. Source is what runs: a bundler or a tool that measures coverage by rewriting code makes other versions.
 *
 * @throws StowageError `INVALID_ARGUMENT`, with the task, for functions without source (of the runtime, or bound), source that
 * cannot be parsed, and files that cannot be read; `ABORTED`.
 */
export async function autoVersion(taskName: string, options: CodeOptions): Promise<CodeVersion> {
  checkOptionNames(options, 'autoVersion', ['run', 'dependsOn', 'salt']);
  throwIfAborted(options.signal);
  return new TaskCode(taskName, options).read(options.signal);
}

/** Part of a task's code, by the place where it was named. */
interface PlacedPart extends CodePart {
  readonly place: string;
  readonly fn?: SourceFunction;
}

/** The code of a task, whose version is asked for again and again: files and other tasks that it depends on may have changed. */
export class TaskCode {
  readonly #taskName: string;
  readonly #parts: readonly PlacedPart[];
  readonly #salt: string | undefined;
  #last: { digests: readonly string[]; version: CodeVersion } | undefined;

  /** @throws StowageError `INVALID_ARGUMENT` */
  constructor(taskName: string, { run, dependsOn = [], salt }: CodeOptions) {
    if (!Array.isArray(dependsOn)) {
      throw invalidTask(
        taskName,
        `\`dependsOn\` is a list of functions and files, not ${inspect(dependsOn)}.`,
      );
    }
    if (salt !== undefined && typeof salt !== 'string') throw invalidTask(taskName, 'a salt is a string.');
    this.#taskName = taskName;
    this.#salt = salt;
    const dependencies = dependsOn.map((dependency: SourceFunction | string | URL, index) => {
      const place = `dependsOn[${index}]`;
      return typeof dependency === 'function'
        ? functionPart(taskName, place, dependency)
        : filePart(taskName, place, dependency);
    });
    this.#parts = [functionPart(taskName, 'run', run), ...dependencies];
  }

  /** The functions whose source the version is made of, the task's own first. */
  get functions(): readonly SourceFunction[] {
    return this.#parts.flatMap(({ fn }) => (fn === undefined || codePartOf(fn) ? [] : fn));
  }

  /** The version as it is now, where nothing has to be read for it; the same object for as long as it is the same. */
  known(): CodeVersion | undefined {
    const digests: string[] = [];
    for (const part of this.#parts) {
      const digest = part.known();
      if (digest === undefined) return undefined;
      digests.push(digest);
    }
    return this.#versionOf(digests);
  }

  /** The version as it is now. */
  async read(signal?: AbortSignal): Promise<CodeVersion> {
    const digests: string[] = [];
    for (const part of this.#parts) {
      throwIfAborted(signal);
      digests.push(part.known() ?? (await part.read(signal)));
    }
    return this.#versionOf(digests);
  }

  #versionOf(digests: readonly string[]): CodeVersion {
    const last = this.#last;
    if (last?.digests.every((digest, index) => digest === digests[index])) return last.version;
    const [run, ...dependsOn] = digests;
    const salt = this.#salt;
    const places = this.#parts.map(({ place }, index) => [`version.${place}`, listed(digests[index])]);
    if (salt !== undefined) places.push(['version.salt', listed(digestOf(this.#taskName, salt))]);
    const version = {
      digest: digestOf(this.#taskName, { run, dependsOn, ...(salt === undefined ? {} : { salt }) }),
      places: Object.fromEntries(places) as KeyListing,
      freeVariables: this.#freeVariables(),
    };
    this.#last = { digests, version };
    return version;
  }

  /** A function whose name is used, by another one or by itself, is taken for what is meant by that. */
  #freeVariables(): FreeVariable[] {
    const found = new Map<string, FreeVariable>();
    const isPart = (name: string): boolean => this.#parts.some((part) => isCalled(part, name));
    for (const { fn, place } of this.#parts) {
      const source = fn && knownSourceOf(fn);
      const isCalledBare = place === 'run' && source?.isArrow === false;
      for (const name of source?.free ?? []) {
        const variable = { name, place };
        // Called without a `this`, it has none.
        const isSeen = (isCalledBare && name === 'this') || isNamedBy(variable, isPart);
        if (!isSeen && !found.has(name)) found.set(name, variable);
      }
    }
    return [...found.values()];
  }
}

/**
 * The names by which a variable counts: of `prompts_1.judge`, which a compiler may have made of `judge`, or of what is called `prompts_1`, by
 * both; of `process.env.MODEL` by `MODEL` as well.
 */
export function isNamedBy({ name }: FreeVariable, isName: (name: string) => boolean): boolean {
  const parts = name.split('.');
  return isName(name) || isName(parts[0] as string) || isName(parts.at(-1) as string);
}

/** A function that has no name of its own is called `run` by the option. */
function isCalled({ fn, place }: PlacedPart, name: string): boolean {
  return fn !== undefined && nameOf(fn) === name && (place !== 'run' || name !== 'run');
}

function listed(digest: string | undefined): string {
  return String(digest).slice(0, LISTED_DIGITS);
}

function digestOf(taskName: string, value: unknown): string {
  return valueDigest(value, { taskName, root: 'version' }, registry);
}

function functionPart(taskName: string, place: string, fn: SourceFunction): PlacedPart {
  const told = place === 'run' ? 'its function' : place;
  if (typeof fn !== 'function') throw invalidTask(taskName, `${told} is no function.`);
  const part = codePartOf(fn);
  if (part) return { place, fn, known: () => part.known(), read: (signal) => part.read(signal) };
  if (isNativeFunction(fn)) {
    throw invalidTask(
      taskName,
      `${told} (${nameOf(fn)}) is bound, a Proxy, or part of the runtime, so that its source cannot be seen for \`version: 'auto'\`. Wrap it in a function (\`(input) => method(input)\`) and name what that calls in \`dependsOn\`, or give a version of your own.`,
      { place },
    );
  }
  const read = async (): Promise<string> => {
    try {
      return (await sourceOf(fn)).digest;
    } catch (cause) {
      if (isStowageError(cause)) throw cause; // the parser could not be loaded
      throw invalidTask(
        taskName,
        `the source of ${told} (${nameOf(fn)}) cannot be parsed for \`version: 'auto'\`: ${messageOf(cause)}. Give a version of your own.`,
        { place },
        cause,
      );
    }
  };
  return { place, fn, known: () => knownSourceOf(fn)?.digest, read };
}

function filePart(taskName: string, place: string, file: string | URL): PlacedPart {
  if (typeof file !== 'string' && !(file instanceof URL)) {
    throw invalidTask(taskName, `${place} is neither a function nor a file, but ${inspect(file)}.`, {
      place,
    });
  }
  const name = String(file);
  const unreadable = (cause: unknown): Error =>
    invalidTask(
      taskName,
      `${place} is the file ${name}, which cannot be read: ${messageOf(cause)}. Paths begin at the working directory (${process.cwd()}); \`new URL('./file', import.meta.url)\` begins at the module.`,
      { place, file: name },
      cause,
    );
  let part: FilePart;
  try {
    part = new FilePart(file instanceof URL || file.startsWith('file:') ? fileURLToPath(file) : file);
  } catch (cause) {
    throw unreadable(cause);
  }
  const read = async (signal?: AbortSignal): Promise<string> => {
    try {
      return await part.read(signal);
    } catch (cause) {
      throwIfAborted(signal);
      throw unreadable(cause);
    }
  };
  return { place, known: () => part.known(), read };
}

function nameOf(fn: SourceFunction): string {
  const name: unknown = Object.getOwnPropertyDescriptor(fn, 'name')?.value;
  // What is bound is called after what it binds, which may have no name.
  const trimmed = typeof name === 'string' ? name.trim() : '';
  return trimmed === '' ? 'anonymous' : trimmed;
}
