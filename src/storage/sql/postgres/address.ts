import { invalidArgument } from '../../../errors.ts';

/** The parts of an address of PostgreSQL. */
export interface PostgresAddress {
  /** The address as the driver takes it, without the schema; with user and password, where it has them. */
  readonly connection: string;
  /** The schema of the tables. */
  readonly schema: string;
  /** Host, port, database and schema, and nothing secret. */
  readonly plain: string;
}

const DEFAULT_SCHEMA = 'stowage';

/**
 * Reads `postgres://user:password@host:5432/database/schema`, also `postgresql:`. Without a schema it is `stowage`; what follows `?` goes to the driver.
 *
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function parsePostgresAddress(address: string): PostgresAddress {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const isOurs = url !== undefined && /^postgres(ql)?:$/.test(url.protocol);
  const [, database = '', schema = DEFAULT_SCHEMA, ...more] = isOurs ? url.pathname.split('/') : [];
  if (!isOurs || database === '' || more.length > 0) {
    throw invalidArgument(
      `An address of PostgreSQL is postgres://host:5432/database, and may name a schema behind it: postgres://host/database/schema.`,
    );
  }
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema) || schema.startsWith('pg_')) {
    throw invalidArgument(
      `"${schema}" cannot be the schema of a store: use letters a-z, digits and "_", at most 63, and none that begins with pg_.`,
      { schema },
    );
  }
  const host = `${url.hostname || 'localhost'}:${url.port || 5432}`;
  url.pathname = `/${database}`;
  return { connection: url.href, schema, plain: `postgres://${host}/${database}/${schema}` };
}
