import { StowageError } from '../../errors.ts';
import type {
  DataStoreStorage,
  DeleteFailure,
  FilledObject,
  ReadTarget,
  TransferOptions,
} from '../../storage/contract.ts';
import { StorageDecorator } from '../../storage/decorator.ts';
import { readInto } from '../../storage/read-into.ts';

/** Refuses every write (`STORAGE_NOT_PERMITTED`), so that whoever only looks leaves no mark. */
export class ReadOnlyStorage extends StorageDecorator {
  getInto(
    name: string,
    target: ReadTarget,
    options: TransferOptions = {},
  ): Promise<FilledObject | undefined> {
    return readInto(this.inner, name, target, options);
  }

  override async create(name: string): Promise<boolean> {
    throw refused(this.inner, name);
  }

  override async overwrite(name: string): Promise<string> {
    throw refused(this.inner, name);
  }

  override async delete(names: readonly string[]): Promise<DeleteFailure[]> {
    return names.map((name) => ({ name, error: refused(this.inner, name) }));
  }
}

function refused(storage: DataStoreStorage, name: string): StowageError {
  return new StowageError(
    'STORAGE_NOT_PERMITTED',
    `${storage.uri(name)} is not written: a check only reads.`,
    {
      details: { name },
    },
  );
}
