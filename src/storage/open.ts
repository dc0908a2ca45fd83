import { fileURLToPath } from 'node:url';
import { StowageError } from '../errors.ts';
import type { DataStoreStorage } from './contract.ts';
import { LocalStorage, type LocalStorageOptions } from './local.ts';
import { MemoryStorage } from './memory.ts';

/** Options for the storage that {@link openStorage} finds, by kind; those of other kinds are ignored. */
export interface OpenStorageOptions {
  local?: LocalStorageOptions | undefined;
  [kind: string]: unknown;
}

/** Opens the storage that a URI names. `uri` is as the user wrote it, its scheme included. */
export type StorageFactory = (
  uri: string,
  options: OpenStorageOptions,
) => DataStoreStorage | Promise<DataStoreStorage>;

/** At least two letters before the colon, because one is a drive of Windows (`C:\stores`). */
const SCHEME = /^([a-z][a-z0-9+.-]+):/i;

const factories = new Map<string, StorageFactory>([
  ['file', (uri, options) => LocalStorage.open(pathOf(uri), options.local)],
  ['memory', (uri) => new MemoryStorage(uri.slice('memory:'.length))],
]);

/**
 * Makes URIs of a scheme known to {@link openStorage}, in place of what was registered for it before.
 *
 * @param scheme without the colon: at least two of the characters `a-z`, `0-9`, `+`, `.`, `-`, a letter first
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function registerStorage(scheme: string, factory: StorageFactory): void {
  if (SCHEME.exec(`${scheme}:`)?.[1] !== scheme) {
    throw new StowageError(
      'INVALID_ARGUMENT',
      `"${scheme}" cannot be a scheme: use at least two letters or digits, a letter first, and no colon.`,
      { details: { scheme } },
    );
  }
  factories.set(scheme.toLowerCase(), factory);
}

/**
 * Opens a storage by its address: a path, `file:///path`, `memory:` (a new one), `memory:name` (one that this process
 * shares by name), or a URI of a registered scheme. Creates nothing.
 *
 * @throws StowageError `UNKNOWN_STORAGE_SCHEME`, `INVALID_ARGUMENT`, and what the storage itself throws
 */
export async function openStorage(
  uriOrPath: string | URL,
  options: OpenStorageOptions = {},
): Promise<DataStoreStorage> {
  const uri = uriOrPath instanceof URL ? uriOrPath.href : uriOrPath;
  if (typeof uri !== 'string' || uri === '') {
    throw new StowageError('INVALID_ARGUMENT', 'The address of a storage is empty; give a path or a URI.');
  }
  const scheme = SCHEME.exec(uri)?.[1]?.toLowerCase();
  if (scheme === undefined) return LocalStorage.open(uri, options.local);
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

function pathOf(uri: string): string {
  // `new URL('file:data')` would silently become `/data`.
  if (!/^file:\//i.test(uri)) {
    const message = `"${uri}" is no absolute file URL; write file:///path, or a plain path, which may be relative.`;
    throw new StowageError('INVALID_ARGUMENT', message, { details: { uri } });
  }
  try {
    return fileURLToPath(uri);
  } catch (cause) {
    const message = `"${uri}" is no usable file URL (${(cause as Error).message}); write file:///path.`;
    throw new StowageError('INVALID_ARGUMENT', message, { details: { uri }, cause });
  }
}
