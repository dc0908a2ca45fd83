import { StowageError } from '../errors.ts';
import type {
  DataStoreStorage,
  DeleteFailure,
  FilledObject,
  ReadTarget,
  TransferOptions,
} from './contract.ts';
import { StorageDecorator } from './decorator.ts';
import { readInto } from './read-into.ts';

/** Refuses every write (`STORAGE_NOT_PERMITTED`), so that whoever only looks leaves no mark. */
export class ReadOnlyStorage extends StorageDecorator {
  /** What was begun and not finished can be told, and stays. */
  override get unfinished(): DataStoreStorage['unfinished'] {
    const { unfinished } = this.inner;
    if (unfinished?.kind !== 'listed') return unfinished;
    return {
      kind: 'listed',
      find: (options) => unfinished.find(options),
      remove: async ({ name }) => {
        throw this.#refusal(name);
      },
    };
  }

  getInto(
    name: string,
    target: ReadTarget,
    options: TransferOptions = {},
  ): Promise<FilledObject | undefined> {
    return readInto(this.inner, name, target, options);
  }

  override async create(name: string): Promise<boolean> {
    throw this.#refusal(name);
  }

  override async overwrite(name: string): Promise<string> {
    throw this.#refusal(name);
  }

  override async delete(names: readonly string[]): Promise<DeleteFailure[]> {
    return names.map((name) => ({ name, error: this.#refusal(name) }));
  }

  #refusal(name: string): StowageError {
    const message = `${this.inner.uri(name)} is not written: the store is only read here.`;
    return new StowageError('STORAGE_NOT_PERMITTED', message, { details: { name } });
  }
}
