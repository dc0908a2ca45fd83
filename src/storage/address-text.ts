import { invalidArgument } from '../errors.ts';

/** The addresses of buckets, in which a prefix stands as it is: up to it, the prefix, and what comes after it. */
const OF_A_BUCKET = /^((?:s3[an]?|az|azure|abfss?|gc?s):\/\/[^/?#]*)([^?]*)(.*)$/s;

/** Schemes of this package, with two letters at least, because one is a drive of Windows. */
const BUILT_IN = /^(file|memory|s3[an]?|az|azure|abfss?|gc?s|sqlite|postgres(?:ql)?):/i;
const SCHEME = /^[a-z][a-z0-9+.-]+:/i;

/** True if an address is no path. */
export function hasScheme(address: string): boolean {
  return SCHEME.test(address);
}

/** True if the scheme of an address is one of this package. */
export function isBuiltIn(address: string): boolean {
  return BUILT_IN.test(address);
}

/**
 * An address as text that means the same. A `URL` percent-encodes what the address of a bucket has as it is, so that
 * `new URL('s3://bucket/my data')` is `s3://bucket/my data`, as the text is; of other schemes it is taken as it is.
 *
 * @throws StowageError `INVALID_ARGUMENT` for a `URL` of a bucket whose prefix cannot be told
 */
export function addressText(address: string | URL): string {
  if (!(address instanceof URL)) return address;
  const [, bucket, prefix = '', query] = OF_A_BUCKET.exec(address.href) ?? [];
  return bucket === undefined ? address.href : bucket + decoded(prefix, address) + query;
}

function decoded(prefix: string, { href }: URL): string {
  let text: string | undefined;
  try {
    text = decodeURIComponent(prefix);
  } catch {} // told below, with what to do about it
  if (text !== undefined && !text.includes('?')) return text;
  throw invalidArgument(
    `The URL "${href}" has a "%" that encodes nothing, or a "?", in its path; pass the address as text, in which nothing is encoded.`,
    { uri: href },
  );
}
