import { isUserName } from '../storage/names.ts';
import { padSequence, SESSION_PATTERN, type SessionId } from './session-id.ts';

/** A content's key: BLAKE3-256 of the uncompressed content, 64 hexadecimal digits. */
export type ContentKey = string;

/** The folders of copies of a key: `data` for small contents and locators, `manifests` for large ones. */
export type CopyFolder = 'data' | 'manifests';

/** Content from this size on, in bytes, is cut into chunks. */
export const CHUNKED_FROM_BYTES: number = 256 * 1024;

/** The folder of content of that length; locators of plain objects lie in `manifests`, too. */
export function folderFor(bytes: number): CopyFolder {
  return bytes < CHUNKED_FROM_BYTES ? 'data' : 'manifests';
}

/** The parts of the name of a copy. */
export interface CopyName {
  folder: CopyFolder;
  key: ContentKey;
  session: SessionId;
  /** The copy object's own length in bytes, so that a listing shows a truncated one. */
  bytes: number;
}

const keyRegExp = /^[0-9a-f]{64}$/;
const copyRegExp = new RegExp(
  `^(data|manifests)/([0-9a-f]{3})/([0-9a-f]{64})\\.(${SESSION_PATTERN})-\\d{8}\\.(0|[1-9]\\d{0,14})$`,
);
const packRegExp = new RegExp(`^packs/(${SESSION_PATTERN})/\\d{8}$`);
const plainRegExp = new RegExp(`^plain/(${SESSION_PATTERN})-\\d{8}/([^/]+)$`);

export function isContentKey(text: unknown): text is ContentKey {
  return typeof text === 'string' && keyRegExp.test(text);
}

/** The beginning of the names of all copies of `key` in `folder`. */
export function copyPrefix(folder: CopyFolder, key: ContentKey): string {
  return `${folder}/${key.slice(0, 3)}/${key}.`;
}

export function copyName(
  folder: CopyFolder,
  key: ContentKey,
  session: SessionId,
  sequence: number,
  bytes: number,
): string {
  return `${copyPrefix(folder, key)}${session}-${padSequence(sequence)}.${bytes}`;
}

/** Takes the name of a copy apart; `undefined` where it is none. */
export function parseCopyName(name: string): CopyName | undefined {
  const match = copyRegExp.exec(name);
  if (!match) return undefined;
  const [, folder, shard, key, session, bytes] = match as unknown as [
    string,
    CopyFolder,
    string,
    string,
    string,
    string,
  ];
  return key.startsWith(shard) ? { folder, key, session, bytes: Number(bytes) } : undefined;
}

export function packName(session: SessionId, sequence: number): string {
  return `packs/${session}/${padSequence(sequence)}`;
}

/** The number of a pack among its session's objects. */
export interface PackPlace {
  session: string;
  sequence: number;
}

/** Takes the name of a pack apart. */
export function packPlaceOf(name: string): PackPlace {
  const [, session = '', sequence = ''] = name.split('/');
  return { session, sequence: Number(sequence) };
}

export function isPackName(name: unknown): name is string {
  return typeof name === 'string' && packRegExp.test(name);
}

/** The name of a plain object; `file` is a validated name from the user. */
export function plainName(session: SessionId, sequence: number, file: string): string {
  return `plain/${session}-${padSequence(sequence)}/${file}`;
}

export function isPlainName(name: unknown): name is string {
  const file = typeof name === 'string' ? plainRegExp.exec(name)?.[2] : undefined;
  return file !== undefined && isUserName(file);
}

const DAMAGED_SUFFIX = '.damaged';

/** The name of the empty object that marks `name` (a copy, a pack or a plain object) as found damaged. */
export function damagedMarkOf(name: string): string {
  return name + DAMAGED_SUFFIX;
}

export function isDamagedMark(name: string): boolean {
  return name.endsWith(DAMAGED_SUFFIX);
}
