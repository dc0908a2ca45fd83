import { createReadStream } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { isNativeFunction } from '../artifacts/intrinsics.ts';
import { SerializerRegistry } from '../artifacts/registry.ts';
import { createHasher } from '../digest/blake3.ts';
import { messageOf, throwIfAborted } from '../errors.ts';
import { checkOptionNames } from '../storage/option-names.ts';
import { canonicalSource } from './canonical-source.ts';
import { valueDigest } from './key-encoding.ts';
import { invalidTask } from './key-fault.ts';
import type { KeyListing } from './key-listing.ts';

/** A function of any kind, or a class. */
// biome-ignore lint/complexity/noBannedTypes: classes cannot be called, and have no narrower type in common with functions.
export type SourceFunction = Function;

/** What a task's code is, for `version: 'auto'`. */
export interface CodeOptions {
  /** The task's function. */
  readonly run: SourceFunction;
  /**
   * What else the result depends on: functions and classes by their source, files (a path, from the working directory, or a
   * `file:` URL) by their bytes. Their order counts; the paths of files do not. Default: nothing.
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
}

const LISTED_DIGITS = 16;
const registry = new SerializerRegistry();
const known = new WeakMap<SourceFunction, Promise<string>>();

/**
 * The version of a task by the source of its function and of what it depends on. Comments and layout do not count.
 *
 * Only the source counts: not what a function closes over, nor what it imports or calls, unless `dependsOn` names it. Source is
 * what runs: a bundler or a tool that measures coverage by rewriting code makes other versions.
 *
 * @throws StowageError `INVALID_ARGUMENT`, with the task, for functions without source (of the runtime, or bound), source that
 * cannot be parsed, and files that cannot be read; `ABORTED`.
 */
export async function autoVersion(taskName: string, options: CodeOptions): Promise<CodeVersion> {
  checkOptionNames(options, 'autoVersion', ['run', 'dependsOn', 'salt']);
  const { run, dependsOn = [], salt, signal } = options;
  throwIfAborted(signal);
  if (!Array.isArray(dependsOn)) {
    throw invalidTask(taskName, `\`dependsOn\` is a list of functions and files, not ${inspect(dependsOn)}.`);
  }
  const runDigest = await functionDigest(taskName, 'its function', run);
  const digests: string[] = [];
  const places: Record<string, string> = { 'version.run': runDigest.slice(0, LISTED_DIGITS) };
  for (const [index, dependency] of dependsOn.entries()) {
    throwIfAborted(signal);
    const place = `dependsOn[${index}]`;
    const digest =
      typeof dependency === 'function'
        ? await functionDigest(taskName, place, dependency)
        : await fileDigest(taskName, place, dependency, signal);
    digests.push(digest);
    places[`version.${place}`] = digest.slice(0, LISTED_DIGITS);
  }
  if (salt !== undefined && typeof salt !== 'string') throw invalidTask(taskName, 'a salt is a string.');
  if (salt !== undefined) places['version.salt'] = digestOf(taskName, salt).slice(0, LISTED_DIGITS);
  const parts = { run: runDigest, dependsOn: digests, ...(salt === undefined ? {} : { salt }) };
  return { digest: digestOf(taskName, parts), places };
}

function digestOf(taskName: string, value: unknown): string {
  return valueDigest(value, { taskName, root: 'version' }, registry);
}

function functionDigest(taskName: string, place: string, fn: SourceFunction): Promise<string> {
  if (typeof fn !== 'function') throw invalidTask(taskName, `${place} is no function.`);
  if (isNativeFunction(fn)) {
    throw invalidTask(
      taskName,
      `${place} (${nameOf(fn)}) is bound, a Proxy, or part of the runtime, so that its source cannot be seen for \`version: 'auto'\`. Wrap it in a function (\`(input) => method(input)\`) and name what that calls in \`dependsOn\`, or give a version of your own.`,
      { place },
    );
  }
  let digest = known.get(fn);
  if (digest === undefined) {
    digest = sourceDigest(taskName, place, fn);
    known.set(fn, digest);
    // The next task that has it is told by its own name.
    digest.catch(() => known.delete(fn));
  }
  return digest;
}

async function sourceDigest(taskName: string, place: string, fn: SourceFunction): Promise<string> {
  try {
    return digestOf(taskName, await canonicalSource(Function.prototype.toString.call(fn)));
  } catch (cause) {
    throw invalidTask(
      taskName,
      `the source of ${place} (${nameOf(fn)}) cannot be parsed for \`version: 'auto'\`: ${messageOf(cause)}. Give a version of your own.`,
      { place },
      cause,
    );
  }
}

async function fileDigest(
  taskName: string,
  place: string,
  file: string | URL,
  signal: AbortSignal | undefined,
): Promise<string> {
  if (typeof file !== 'string' && !(file instanceof URL)) {
    throw invalidTask(taskName, `${place} is neither a function nor a file, but ${inspect(file)}.`, {
      place,
    });
  }
  const hasher = createHasher();
  try {
    const path = file instanceof URL || file.startsWith('file:') ? fileURLToPath(file) : file;
    for await (const bytes of createReadStream(path)) {
      throwIfAborted(signal);
      hasher.update(bytes as Buffer);
    }
  } catch (cause) {
    throwIfAborted(signal);
    throw invalidTask(
      taskName,
      `${place} is the file ${String(file)}, which cannot be read: ${messageOf(cause)}. Paths begin at the working directory (${process.cwd()}); \`new URL('./file', import.meta.url)\` begins at the module.`,
      { place, file: String(file) },
      cause,
    );
  }
  return hasher.digestHex();
}

function nameOf(fn: SourceFunction): string {
  const name: unknown = Object.getOwnPropertyDescriptor(fn, 'name')?.value;
  // What is bound is called after what it binds, which may have no name.
  const trimmed = typeof name === 'string' ? name.trim() : '';
  return trimmed === '' ? 'anonymous' : trimmed;
}
