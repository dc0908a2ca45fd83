import { isStowageError, StowageError } from '../../errors.ts';
import type { CaughtUp } from '../../store-index/catch-up.ts';
import type { CatchUpOptions, IndexStatus, StoreIndex } from '../../store-index/store-index.ts';
import type { StorePath } from '../../views/paths.ts';
import type { OptionDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { withStore, withStoreAddress } from '../store.ts';
import { ageCell } from '../ui/cells.ts';
import { workOnItems } from '../ui/progress-line.ts';

/** The options of every command that asks an index. */
export interface IndexOptions {
  index?: string;
  /** `false` with `--no-update`. */
  update?: boolean;
}

export const INDEX_OPTION: OptionDeclaration = {
  flags: '--index <file>',
  text: "the index's file, for a store in a folder or a bucket; default: one by the store's id",
  completion: 'file',
};

/** As every command that asks an index takes them. */
export const INDEX_OPTIONS: readonly OptionDeclaration[] = [
  INDEX_OPTION,
  { flags: '--no-update', text: 'ask the index as it is; without this it is caught up first' },
];

/** An index to ask, and the time to which it tells the store. */
export interface AskedIndex {
  index: StoreIndex;
  caughtUpAt: string | undefined;
}

/** The reason why an index told no figures. */
export interface FiguresFailure {
  code: string;
  message: string;
}

/**
 * Reports an index that cannot be asked, which costs the figures alone, and returns what the document tells of it.
 *
 * @throws `error` where the command ends by it: an abort, wrong usage, or a bug
 */
export function withoutFigures(invocation: Invocation, error: unknown): FiguresFailure {
  if (!isStowageError(error) || isStowageError(error, 'ABORTED', 'INVALID_ARGUMENT')) throw error;
  invocation.failed(error);
  const { code, message } = error;
  return { code, message };
}

/**
 * Opens the index of the store for questions. Catches it up first, or says how old it is.
 *
 * @throws StowageError `INDEX_NOT_READY` with what to do, `NO_SUCH_STORE`, and what catching up throws
 */
export function withAskedIndex<T>(
  invocation: Invocation,
  { index: path, update = true }: IndexOptions,
  work: (asked: AskedIndex) => Promise<T>,
): Promise<T> {
  return withIndex(invocation, path, async (index) => {
    if (update) {
      const catchingUp = invocation.shared?.catchUp(index, invocation) ?? caughtUp(invocation, index, {});
      await catchingUp.catch(throwWithWayOut);
    }
    const { caughtUpAt } = (await index.status(invocation)) ?? ({} as Partial<IndexStatus>);
    if (!update && caughtUpAt !== undefined)
      invocation.note(`the index was caught up ${ageCell(caughtUpAt)}.`);
    return work({ index, caughtUpAt });
  });
}

/** Opens the index of the store that `--store` or the environment names; `path` counts for nothing where one is open already. */
export async function withIndex<T>(
  invocation: Invocation,
  path: string | undefined,
  work: (index: StoreIndex) => Promise<T>,
): Promise<T> {
  const { StoreIndex } = await import('../../store-index/store-index.ts');
  return withStoreAddress(invocation, async (store, decorate) => {
    const { signal, shared } = invocation;
    const ask = (index: StoreIndex): Promise<T> => work(index).catch(throwInWordsOfCommands);
    if (shared) return shared.useIndex(ask);
    const index = await StoreIndex.openDecorated({ store, path, signal }, decorate);
    try {
      return await ask(index);
    } finally {
      await index.close();
    }
  });
}

/** Catches an index up, or makes it anew, and tells on a terminal how far that has come. */
export function caughtUp(
  invocation: Invocation,
  index: StoreIndex,
  { full, rebuild = false }: Pick<CatchUpOptions, 'full'> & { rebuild?: boolean | undefined },
): Promise<CaughtUp> {
  const options: CatchUpOptions = {
    signal: invocation.signal,
    onProgress: ({ itemsDone, itemsTotal }) =>
      invocation.progress(() => workOnItems('indexing', itemsDone, itemsTotal, 'records')),
  };
  return rebuild ? index.rebuild(options) : index.catchUp({ ...options, full });
}

/** The path with the id of the run that it means: an index knows runs by their ids alone. */
export async function withRunId(invocation: Invocation, path: StorePath): Promise<StorePath> {
  if (path.run === undefined) return path;
  const { meantPath } = await import('../meant-run.ts');
  return withStore(invocation, (store) => meantPath(invocation, store, path));
}

/** An index that this user may not write can be asked all the same. */
function throwWithWayOut(error: unknown): never {
  if (!isStowageError(error, 'STORAGE_NOT_PERMITTED')) throw error;
  const { code, message, details } = error;
  throw new StowageError(code, `${message} To ask the index as it is: --no-update.`, {
    details,
    cause: error,
  });
}

function throwInWordsOfCommands(error: unknown): never {
  if (!isStowageError(error, 'INDEX_NOT_READY')) throw error;
  const { code, message, details } = error;
  throw new StowageError(code, message.replace('make it by catchUp()', 'make it with: stowage index'), {
    details,
    cause: error,
  });
}
