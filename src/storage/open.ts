import { fileURLToPath } from 'node:url';
import { invalidArgument, StowageError } from '../errors.ts';
import { addressText } from './address-text.ts';
import type { AzureStorageOptions } from './azure/options.ts';
import type { DataStoreStorage } from './contract.ts';
import type { GcsStorageOptions } from './gcs/options.ts';
import { LimitStorage } from './limit.ts';
import { LocalStorage, type LocalStorageOptions } from './local.ts';
import { MemoryStorage } from './memory.ts';
import { RetryStorage } from './retry.ts';
import type { RetryOptions } from './retry-policy.ts';
import type { S3StorageOptions } from './s3/options.ts';
import type { PostgresStorageOptions } from './sql/postgres-storage.ts';

/** Options for the storage that {@link openStorage} finds, by kind; those of other kinds are ignored. */
export interface OpenStorageOptions {
  local?: LocalStorageOptions | undefined;
  /** Options of a bucket of S3 that its address does not tell. */
  s3?: Omit<S3StorageOptions, 'bucket' | 'prefix'> | undefined;
  /** Options of a container of Azure that its address does not tell. */
  azure?: Omit<AzureStorageOptions, 'container' | 'prefix'> | undefined;
  /** Options of a bucket of Google Cloud Storage that its address does not tell. */
  gcs?: Omit<GcsStorageOptions, 'bucket' | 'prefix'> | undefined;
  /** Options of a database of PostgreSQL that its address does not tell. */
  postgres?: PostgresStorageOptions | undefined;
  /** The retries of passing faults: of a service, of a database, or of a system that has no file to give at the moment. */
  retry?: RetryOptions | undefined;
  /** The most calls that are under way at a time; further ones wait. Default 64, and 32 in a folder. */
  maxInFlight?: number | undefined;
  [kind: string]: unknown;
}

/** Opens the storage that a URI names. `uri` is as the user wrote it, its scheme included. */
export type StorageFactory = (
  uri: string,
  options: OpenStorageOptions,
) => DataStoreStorage | Promise<DataStoreStorage>;

/** Takes at least two letters before the colon, because one is a drive of Windows (`C:\stores`). */
const SCHEME = /^([a-z][a-z0-9+.-]+):/i;

const DEFAULT_MAX_IN_FLIGHT = 64;
/** Each call holds one file open, or a few while it syncs: far fewer than the 256 that macOS lets a process have. */
const MAX_IN_FLIGHT_IN_FOLDER = 32;
/** About ten seconds in all. */
const FOLDER_RETRIES: RetryOptions = { maxAttempts: 30, budgetMs: 30_000, baseDelayMs: 5, maxDelayMs: 1_000 };

/** The schemes of buckets, and what opens one: the storage of a service is loaded when it is used. */
const BUCKETS: readonly (readonly [schemes: readonly string[], open: StorageFactory])[] = [
  [['s3', 's3a', 's3n'], async (uri, { s3 }) => (await import('./s3.ts')).S3Storage.open(uri, s3)],
  [
    ['az', 'azure', 'abfs', 'abfss'],
    async (uri, { azure }) => (await import('./azure.ts')).AzureStorage.open(uri, azure),
  ],
  [['gs', 'gcs'], async (uri, { gcs }) => (await import('./gcs.ts')).GcsStorage.open(uri, gcs)],
];

const factories = new Map<string, StorageFactory>([
  ['file', (uri, options) => openFolder(pathOf(uri), options)],
  [
    'sqlite',
    async (uri, options) =>
      resilient(await (await import('./databases.ts')).SqliteStorage.open(uri), options),
  ],
  ...['postgres', 'postgresql'].map((scheme): [string, StorageFactory] => [
    scheme,
    async (uri, options) =>
      resilient(await (await import('./databases.ts')).PostgresStorage.open(uri, options.postgres), options),
  ]),
  ['memory', (uri) => new MemoryStorage(uri.slice('memory:'.length))],
  ...BUCKETS.flatMap(([schemes, open]) =>
    schemes.map((scheme): [string, StorageFactory] => [
      scheme,
      async (uri, options) => resilient(await open(uri, options), options),
    ]),
  ),
]);

/**
 * Makes URIs of a scheme known to {@link openStorage}, in place of what was registered for it before.
 *
 * @param scheme without the colon: at least two of the characters `a-z`, `0-9`, `+`, `.`, `-`, a letter first
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function registerStorage(scheme: string, factory: StorageFactory): void {
  if (SCHEME.exec(`${scheme}:`)?.[1] !== scheme) {
    throw invalidArgument(
      `"${scheme}" cannot be a scheme: use at least two letters or digits, a letter first, and no colon.`,
      { scheme },
    );
  }
  factories.set(scheme.toLowerCase(), factory);
}

/**
 * Opens a storage by its address: a path, `file:///path`, `memory:` (a new one), `memory:name` (one that this process
 * shares by name), `s3://bucket/prefix` (also `s3a:`, `s3n:`; see `S3Storage` of `stowage/s3`), `az://container/prefix`
 * (also `azure:`, `abfs:`, `abfss:`; see `AzureStorage` of `stowage/azure`), `gs://bucket/prefix` (also `gcs:`; see `GcsStorage`
 * of `stowage/gcs`), `sqlite:path` or `postgres://host/database` (see `SqliteStorage` and `PostgresStorage` of `stowage/sql`), or a URI of a registered scheme. In the address of a bucket nothing is percent-decoded; a `URL` object, which
 * encodes what it is given, means the address that it was made of. Creates nothing.
 *
 * Around all but memory lie a `RetryStorage` and, within it, a `LimitStorage`: a call that waits to be tried again
 * takes no place from others. A folder has them too: what its system cannot do at the moment (too many open files, a busy
 * file) is tried again, and a process that may have few files open has few calls under way.
 *
 * @throws StowageError `UNKNOWN_STORAGE_SCHEME`, `INVALID_ARGUMENT`, and what the storage itself throws
 */
export async function openStorage(
  uriOrPath: string | URL,
  options: OpenStorageOptions = {},
): Promise<DataStoreStorage> {
  const uri = addressText(uriOrPath);
  if (typeof uri !== 'string' || uri === '') {
    throw invalidArgument('The address of a storage is empty; give a path or a URI.');
  }
  const scheme = SCHEME.exec(uri)?.[1]?.toLowerCase();
  if (scheme === undefined) return openFolder(uri, options);
  const factory = factories.get(scheme);
  if (factory) return factory(uri, options);
  const known = [...factories.keys()].sort().map((name) => `${name}:`);
  throw new StowageError(
    'UNKNOWN_STORAGE_SCHEME',
    `This release has no storage for "${scheme}:". It has ${known.join(', ')} and plain paths; registerStorage adds one.` +
      (uri.includes('://') ? '' : ` A path with a colon is written "./${uri.slice(0, 40)}".`),
    { details: { scheme, known } },
  );
}

async function openFolder(path: string, options: OpenStorageOptions): Promise<DataStoreStorage> {
  return new PatientFolder(await LocalStorage.open(path, options.local), options);
}

class PatientFolder extends RetryStorage {
  /** The absolute path of the folder. */
  readonly root: string;

  constructor(folder: LocalStorage, options: OpenStorageOptions) {
    const limited = new LimitStorage(folder, options.maxInFlight ?? MAX_IN_FLIGHT_IN_FOLDER);
    super(limited, folderRetries(options.retry));
    this.root = folder.root;
  }
}

/** What is given, and for what it leaves out a folder's own. */
function folderRetries(given: RetryOptions | undefined): RetryOptions {
  if (typeof given !== 'object' || given === null) return given ?? FOLDER_RETRIES; // RetryStorage refuses what is no object
  const named = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...FOLDER_RETRIES, ...Object.fromEntries(named) };
}

function resilient(storage: DataStoreStorage, options: OpenStorageOptions): DataStoreStorage {
  const limited = new LimitStorage(storage, options.maxInFlight ?? DEFAULT_MAX_IN_FLIGHT);
  return new RetryStorage(limited, options.retry);
}

function pathOf(uri: string): string {
  // `new URL('file:data')` would silently become `/data`.
  if (!/^file:\//i.test(uri)) {
    const message = `"${uri}" is no absolute file URL; write file:///path, or a plain path, which may be relative.`;
    throw invalidArgument(message, { uri });
  }
  try {
    return fileURLToPath(uri);
  } catch (cause) {
    const message = `"${uri}" is no usable file URL (${(cause as Error).message}); write file:///path.`;
    throw new StowageError('INVALID_ARGUMENT', message, { details: { uri }, cause });
  }
}
