export {
  type PostgresClient,
  type PostgresPool,
  PostgresStorage,
  type PostgresStorageOptions,
} from './sql/postgres-storage.ts';
export { SqliteStorage } from './sqlite.ts';
