import { StowageError } from '../errors.ts';

const SYSROOT_PREFIX = 'STOWAGE_DATASTORE_SYSROOT_';

/** Where a store lies when nobody says: `./.stowage`, unless the environment names another place. */
export function defaultStorageUri(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const type = environment.STOWAGE_DEFAULT_DATASTORE || 'local';
  const variable = SYSROOT_PREFIX + type.toUpperCase();
  const root = environment[variable];
  if (root) return root;
  if (type === 'local') return './.stowage';
  throw new StowageError(
    'INVALID_ARGUMENT',
    `STOWAGE_DEFAULT_DATASTORE is ${type}, but ${variable} does not say where; set it to the store's address.`,
    { details: { variable } },
  );
}
