import { messageOf, StowageError } from '../errors.ts';

/** An address as errors show it: what follows `?` may be a signature, and what stands before `@` a password. */
export function shownUri(uri: string): string {
  return uri.replace(/[?#].*$/s, '').replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, '$1');
}

/** Nothing is where a reference points. */
export function notFound(uri: string, cause?: unknown, what: 'file' | 'folder' = 'file'): StowageError {
  const at = shownUri(uri);
  return new StowageError(
    'REFERENCE_NOT_FOUND',
    `There is no ${what} at ${at}. Check the path or address; where it was there before, whoever owns it has moved or deleted it.`,
    { details: { uri: at }, cause },
  );
}

/** A file is another than it was when it was referenced, or became another one while it was read. */
export function changed(uri: string, what: string): StowageError {
  const at = shownUri(uri);
  return new StowageError(
    'REFERENCE_CHANGED',
    `The file at ${at} was changed: ${what}. Reference it anew to have what it holds now; to keep what it holds, store it by fromLocal.`,
    { details: { uri: at, what } },
  );
}

/** A file cannot be read, for a reason of its own system or server. */
export function unreadable(
  uri: string,
  why: string,
  details: Readonly<Record<string, unknown>> = {},
  cause?: unknown,
): StowageError {
  const at = shownUri(uri);
  return new StowageError('REFERENCE_UNREADABLE', `The file at ${at} cannot be read: ${why}`, {
    details: { uri: at, ...details },
    cause,
  });
}

/** A file cannot be written where it is to be downloaded to. */
export function notWritten(path: string, cause: unknown): StowageError {
  return new StowageError(
    'DOWNLOAD_FAILED',
    `${path} could not be written: ${messageOf(cause)}. Nothing of it was left there; correct the path, or make room, and download it again.`,
    { details: { path }, cause },
  );
}

/** A file is larger than its reader takes. */
export function tooLarge(name: string, bytes: number | undefined, maxBytes: number): StowageError {
  return new StowageError(
    'CONTENT_TOO_LARGE',
    `The file ${name} has ${bytes === undefined ? `more than ${maxBytes}` : bytes} bytes, and ${maxBytes} are taken at most. Raise maxBytes, or read it piece by piece (open) or to disk (download).`,
    { details: { name, bytes, maxBytes } },
  );
}
