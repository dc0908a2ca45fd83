import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { invalidArgument, messageOf } from '../errors.ts';
import { addressText, hasScheme } from '../storage/address-text.ts';
import { shownUri } from './errors.ts';
import { splitUri } from './storage-file.ts';

/** The longest address that a reference keeps, in UTF-16 units. */
const MAX_URI = 8_192;

/**
 * The address of a file that the program named: of a path the absolute `file:` URL.
 *
 * @throws StowageError `INVALID_ARGUMENT` for what names no file, and for an address with a password, which would be kept with the value
 */
export function fileUri(address: string | URL): string {
  const text = isAddress(address) ? addressText(address) : '';
  if (text === '' || text.includes('\0'))
    throw invalidArgument(
      'A file is referenced by its address, such as https://host/data.csv, or by its path.',
    );
  const uri = hasScheme(text) ? text : pathToFileURL(resolve(text)).href;
  if (hasPassword(uri)) {
    throw invalidArgument(
      'The address of a file has a user or password in it, which would be kept with every value that holds the reference; leave it out, and use a signed address where one is needed.',
    );
  }
  const checked: unknown = uri;
  if (isReadableUri(checked)) return checked;
  throw invalidArgument(`"${uri.slice(0, 200)}" is no address of a file.`, { uri });
}

/**
 * The path of something on this machine that the program named by its path, or by a `file:` URL, such as `new URL('x.csv', import.meta.url)`.
 *
 * @param what - the call, and what it takes, for errors: `files.fromLocal takes a file`
 * @throws StowageError `INVALID_ARGUMENT` for another address, and for what is neither
 */
export function localPath(path: string | URL, what: string): string {
  const text: unknown = path instanceof URL ? path.href : path;
  if (typeof text !== 'string' || text === '' || text.includes('\0'))
    throw invalidArgument(`${what} of this machine by its path: a text that is not empty, or a file: URL.`);
  if (!/^[a-z][a-z0-9+.-]+:\/\//i.test(text)) return text; // a file may be called `run:1.csv`
  if (!/^file:/i.test(text)) {
    const address = shownUri(text);
    throw invalidArgument(
      `${what} of this machine, and ${address} is an address. Refer to what lies there by existing or remote, or download it.`,
      { uri: address },
    );
  }
  try {
    return fileURLToPath(text);
  } catch (cause) {
    throw invalidArgument(`${what} of this machine, and ${text} names none: ${messageOf(cause)}.`, {
      uri: text,
    });
  }
}

function isAddress(address: unknown): boolean {
  return typeof address === 'string' || address instanceof URL;
}

/** True for an address that a reference may have. */
export function isReadableUri(uri: unknown): uri is string {
  if (typeof uri !== 'string' || uri.length > MAX_URI || !hasScheme(uri)) return false;
  if (hasPassword(uri)) return false;
  if (/^(https?|file):/i.test(uri)) return URL.canParse(uri) && /^(https?:\/\/|file:\/\/\/)/i.test(uri);
  try {
    splitUri(uri);
    return true;
  } catch {
    return false;
  }
}

/** The name of the file at an address: what its path ends with. Empty where it ends with no name. */
export function nameInUri(uri: string): string {
  const path = /^(https?|file):/i.test(uri) ? new URL(uri).pathname : splitUri(uri).name;
  const last = path.slice(path.lastIndexOf('/') + 1);
  if (!/^(https?|file):/i.test(uri)) return last;
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}

/** Of addresses with a host; that of Azure names a container before `@`, and never a password. */
function hasPassword(uri: string): boolean {
  if (!/^https?:/i.test(uri) || !URL.canParse(uri)) return false;
  const { username, password } = new URL(uri);
  return username !== '' || password !== '';
}
