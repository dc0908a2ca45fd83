import type { ObjectInfo } from '../contract.ts';

/** What the JSON API tells of an object, as far as it was asked for. Numbers of 64 bits are strings. */
export interface ObjectResource {
  name?: string;
  generation?: string;
  size?: string;
  crc32c?: string;
  updated?: string;
  metadata?: Readonly<Record<string, string>>;
}

/** The user metadata in which a write leaves its own mark, to know the object again after a lost response. */
const WRITE_ID = 'write-id';

export function metadataOf(writeId: string): Record<string, string> {
  return { [WRITE_ID]: writeId };
}

export function writeIdOf({ metadata }: ObjectResource): string | undefined {
  return metadata?.[WRITE_ID];
}

export function infoOf(name: string, { generation = '', size, updated }: ObjectResource): ObjectInfo {
  return { name, bytes: Number(size), modifiedAtMs: wholeSeconds(updated), version: generation };
}

/** Headers tell seconds only; the time of an object must be the same everywhere. */
export function wholeSeconds(time: string | undefined): number {
  return Math.floor(Date.parse(time ?? '') / 1000) * 1000;
}
