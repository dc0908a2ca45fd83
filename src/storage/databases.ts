export {
  type PostgresClient,
  type PostgresPool,
  type PostgresRows,
  PostgresStorage,
  type PostgresStorageOptions,
} from './sql/postgres-storage.ts';
export { SqliteStorage } from './sqlite.ts';
