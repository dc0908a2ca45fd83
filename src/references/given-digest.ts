import { invalidArgument } from '../errors.ts';

/**
 * A digest by which a file counts in place of its own: a text, or a function that makes one of the file's bytes, however the file
 * comes to be referenced. It need not read all of them.
 */
export type GivenDigest = string | ((bytes: AsyncIterable<Uint8Array>) => string | Promise<string>);

/** The longest digest, in UTF-16 units. */
const MAX_DIGEST = 1_024;

/** @throws StowageError `INVALID_ARGUMENT` */
export function checkGivenDigest(digest: unknown): asserts digest is GivenDigest | undefined {
  if (digest === undefined || typeof digest === 'function') return;
  checkText(digest);
}

/**
 * The digest that the user gives for a file.
 *
 * @param read - reads the file, where a function asks for its bytes
 * @throws what the function throws; StowageError `INVALID_ARGUMENT` where it makes no text
 */
export async function digestGiven(
  digest: GivenDigest | undefined,
  read: () => AsyncGenerator<Uint8Array>,
): Promise<string | undefined> {
  if (typeof digest !== 'function') return digest;
  const bytes = read();
  try {
    return checkText(await digest(bytes));
  } finally {
    await bytes.return(undefined); // of which the function may have left some
  }
}

function checkText(digest: unknown): string {
  if (typeof digest === 'string' && digest !== '' && digest.length <= MAX_DIGEST) return digest;
  throw invalidArgument(
    `The digest of a file is a text of 1 to ${MAX_DIGEST} characters, or a function that returns one for its bytes.`,
  );
}
