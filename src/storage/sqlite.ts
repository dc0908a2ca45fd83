import { ContentBeside } from './beside.ts';
import type { DataStoreStorage } from './contract.ts';
import { LocalStorage } from './local.ts';
import { SqlStorage } from './sql/sql-storage.ts';
import { sqlitePath } from './sql/sqlite/address.ts';
import { SqliteDatabase } from './sql/sqlite/sqlite-database.ts';

/**
 * Keeps objects in a file of SQLite, for any number of processes of one machine, and what is large (`packs/`, `plain/`) in a folder beside it,
 * `<file>.content`. Neither must lie on a network file system.
 *
 * It is Node's own SQLite, from Node.js 22.13 on, or the package `libsql`. The file belongs to one of them in each process: where a program
 * opens it by a library of its own as well, locks do not hold.
 */
export class SqliteStorage extends ContentBeside implements DataStoreStorage {
  /** The absolute path of the file. */
  readonly path: string;

  private constructor(database: SqliteDatabase, folder: LocalStorage) {
    super(new SqlStorage(database), folder);
    this.path = database.path;
  }

  /**
   * Opens `sqlite:path`. Creates nothing: file and folder are made by the first write.
   *
   * @throws StowageError `INVALID_ARGUMENT`; `STORAGE_UNSUPPORTED` where there is no SQLite
   */
  static async open(address: string): Promise<SqliteStorage> {
    const path = sqlitePath(address);
    const database = await SqliteDatabase.load(path);
    return new SqliteStorage(database, await LocalStorage.open(`${path}.content`, { names: 'exact' }));
  }
}
