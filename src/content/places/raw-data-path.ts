import { invalidArgument } from '../../errors.ts';
import { addressText } from '../../storage/address-text.ts';

/** The option for content that is not to lie in the store itself. */
export interface RawDataPathOptions {
  /**
   * Another prefix, bucket or backend for the content that is saved: a path or a URI, as `openStorage` takes it. Metadata, and
   * small values that are kept in it, stay in the store; reading needs no option. The store's own address means the store itself.
   * Default: what the next wider scope says (call, task, run, store), at last the store itself.
   */
  rawDataPath?: string | URL | undefined;
}

/**
 * The address as text; `undefined` for none.
 *
 * @throws StowageError `INVALID_ARGUMENT` for what can be no address
 */
export function checkRawDataPath(rawDataPath: unknown): string | undefined {
  if (rawDataPath === undefined) return undefined;
  const text = rawDataPath instanceof URL ? addressText(rawDataPath) : rawDataPath;
  if (typeof text === 'string' && text !== '' && !text.includes('\0')) return text;
  throw invalidArgument(
    "rawDataPath must be a path or a URI, such as 's3://bucket/raw'; leave it out to keep content in the store.",
  );
}
