import { realpathSync } from 'node:fs';
import { basename, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ProgressOptions } from '../async/progress.ts';
import type { ContentStore } from '../content/content-store.ts';
import type { ContentAddressedStore } from '../content-addressed-store.ts';
import { invalidArgument, StowageError } from '../errors.ts';
import { type ContentRef, HERE } from '../format/content-ref.ts';
import type { RunCode } from '../format/run-records.ts';
import { SESSION_FILES, standaloneFiles } from '../format/session-files.ts';
import { checkMembers } from '../options/option-names.ts';
import { ANYTHING, checkKinds, NAMES, type OptionTable } from '../options/option-table.ts';
import { Directories } from '../references/directories.ts';
import type { DirectoryRef } from '../references/directory/directory-ref.ts';
import type { TreeOptions } from '../references/directory/walk-tree.ts';
import { StandaloneKeeper } from '../references/file-keeper.ts';
import { referenceReader } from '../references/read-reference.ts';
import { localPath } from '../references/uris.ts';
import { readStandaloneResult } from '../sessions/standalone-result.ts';
import { hasScheme } from '../storage/address-text.ts';
import { rootOf } from '../storage/canonical-address.ts';
import type { CallOptions } from '../storage/contract.ts';
import { isUserName } from '../storage/names.ts';
import { REFERENCE, type Referring } from '../values/reference.ts';

/**
 * The code of a run: a folder, and what is taken of it. `node_modules`, `.git`, and folders in which the store keeps content are left out
 * before `exclude` is looked at, where `!node_modules` takes one in again.
 */
export interface RunCodeOptions extends Omit<TreeOptions, 'ignoreFiles'> {
  /** The folder: its path, or a `file:` URL. */
  path: string | URL;
  /** The names of files with patterns of what is left out. Default: `.gitignore` and `.stowageignore`. */
  ignoreFiles?: readonly string[] | undefined;
}

const OPTIONS: OptionTable<RunCodeOptions> = {
  path: ANYTHING,
  include: NAMES,
  exclude: NAMES,
  ignoreFiles: NAMES,
};
const IGNORE_FILES = ['.gitignore', '.stowageignore'];
const LEFT_OUT = ['node_modules', '.git'];
/** The name of code whose folder has none that every system holds. */
const NAMELESS = 'code';

/** @throws StowageError `INVALID_ARGUMENT` */
export function checkCode(code: string | URL | RunCodeOptions | undefined): RunCodeOptions | undefined {
  if (code === undefined) return undefined;
  const given = typeof code === 'string' || code instanceof URL ? { path: code } : code;
  if (typeof given !== 'object' || given === null || !isNamed(given.path))
    throw invalidArgument(
      "The code of a run is a folder: its path, as in createRun({ code: '.' }), or { path, include, exclude, ignoreFiles }.",
    );
  checkMembers(given, 'The code of a run', Object.keys(OPTIONS));
  checkKinds(given, OPTIONS, ' of code');
  return given;
}

function isNamed(path: unknown): boolean {
  return path instanceof URL || (typeof path === 'string' && path !== '');
}

/**
 * Keeps the code of a run in a session of its own, and returns what created.json says of it.
 *
 * @param rawDataPath - the address of the place that content of the run goes to, if not the store
 * @throws StowageError as `Directories.fromLocal`; `INVALID_ARGUMENT` where the folder lies in the store's own
 */
export async function keepCode(
  store: ContentAddressedStore,
  { path, include, exclude = [], ignoreFiles = IGNORE_FILES }: RunCodeOptions,
  { rawDataPath, signal, onProgress }: CallOptions & ProgressOptions & { rawDataPath: string | undefined },
): Promise<RunCode> {
  const root = resolve(localPath(path, 'The code of a run is a folder'));
  const own = [rootOf(store.storage), rawDataPath, store.rawDataPath].flatMap((address) =>
    patternsOf(root, address),
  );
  const directories = new Directories(new StandaloneKeeper(store));
  const name = isUserName(basename(root)) ? basename(root) : NAMELESS;
  const kept = await directories.fromLocal(root, {
    name,
    include,
    exclude: [...LEFT_OUT, ...exclude, ...own],
    ignoreFiles,
    rawDataPath,
    signal,
    onProgress,
  });
  const { members } = (kept as unknown as Referring)[REFERENCE]();
  const { files, size, entries, listing } = members as Omit<RunCode, 'session' | 'name'>;
  return { session: kept.session as string, name, files, size, entries, listing };
}

/**
 * Reads what a session keeps of the code of a run. The files are not read.
 *
 * @throws StowageError `CONTENT_PURGED` where the session was released, `CONTENT_ERASED`, `RECORD_DAMAGED`
 */
export async function readCode(
  store: ContentStore,
  run: { flow: string; run: string },
  { session, ...facts }: RunCode,
  options: CallOptions,
): Promise<DirectoryRef> {
  const isClosed = await store.storage.head(standaloneFiles(session).base + SESSION_FILES.done, options);
  const result = isClosed ? await readStandaloneResult(store, session, options) : undefined;
  if (!result?.described) throw released(run, session);
  if (result.erased) throw erased(run, session, result.erased.reason);
  const refs = result.described.table.artifacts.map(({ key, content }): ContentRef => {
    return { place: content?.place ?? HERE, kind: 'key', name: key };
  });
  const others = new Set(refs.map((ref) => ref.name).filter((key) => key !== facts.listing));
  const parts = new Uint8Array(Buffer.from([...others].sort().join(''), 'hex'));
  try {
    return referenceReader(store, refs)('directory', { ...facts, parts }) as DirectoryRef;
  } catch (cause) {
    const message = `What created.json of the run ${run.flow}/${run.run} says of its code is not what the session ${session} keeps. Restore both from a copy of the store.`;
    throw new StowageError('RECORD_DAMAGED', message, { details: { ...run, session }, cause });
  }
}

/** The pattern that leaves out the folder at an address, if it lies in `root`. */
function patternsOf(root: string, address: string | undefined): string[] {
  if (address === undefined || address === '') return [];
  const isFile = /^file:/i.test(address);
  if (!isFile && hasScheme(address)) return [];
  const path = relative(realPathOf(root), realPathOf(isFile ? fileURLToPath(address) : resolve(address)));
  if (path === '')
    throw invalidArgument(
      `${root} is the folder in which the store keeps what it stores; name the folder of the code.`,
      { path: root },
    );
  if (path === '..' || path.startsWith(`..${sep}`)) return [];
  return [
    `/${path
      .split(sep)
      .join('/')
      .replace(/[\\*?[\]!# ]/g, '\\$&')}`,
  ];
}

/** The path without links, or as it is where nothing is there. */
function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path; // of a folder that is missing, whoever reads it says so
  }
}

function released({ flow, run }: { flow: string; run: string }, session: string): StowageError {
  return new StowageError(
    'CONTENT_PURGED',
    `The code of the run ${flow}/${run} was given up: its session ${session} was released.`,
    { details: { flow, run, session } },
  );
}

/** A directory without one of its files is not the code that the run was made by. */
function erased(run: { flow: string; run: string }, session: string, reason: string): StowageError {
  const message = `Something of the code of the run ${run.flow}/${run.run} was erased: ${reason}`;
  return new StowageError('CONTENT_ERASED', message, { details: { ...run, session } });
}
