import type { ByteRange, CallOptions } from '../storage/contract.ts';
import { changed } from './errors.ts';

/** A file as it was seen: what tells it from a later one under the same address, as far as its server tells it. */
export interface SeenFile {
  /** Its length in bytes. */
  size?: number | undefined;
  /** Its ETag or generation: another one is another file. */
  version?: string | undefined;
  /** Milliseconds since 1970, by the clock of whoever keeps the file. */
  modifiedAtMs?: number | undefined;
}

/** Options of reading a file. */
export interface FileReadOptions extends CallOptions {
  /** The part to read, in bytes. What lies past the end is left out. Default: all. */
  range?: ByteRange | undefined;
}

/** Reads one file at its address. Errors are those of docs/errors.md, `REFERENCE_CHANGED` where it is not `seen` any more. */
export interface FileSource {
  /** The file as it is now; `undefined` where there is none. */
  look(options: CallOptions): Promise<SeenFile | undefined>;
  /** Its bytes, piece by piece. */
  read(options: FileReadOptions): AsyncGenerator<Uint8Array>;
}

/** @throws StowageError `REFERENCE_CHANGED` where a file is not the one that was seen, as far as both tell */
export function checkUnchanged(uri: string, seen: SeenFile | undefined, now: SeenFile): void {
  if (!seen) return;
  const [was, is] = [seen.size, now.size];
  if (was !== undefined && is !== undefined && was !== is)
    throw changed(uri, `it had ${was} bytes, and has ${is}`);
  if (seen.version !== undefined && now.version !== undefined) {
    if (seen.version === now.version) return;
    throw changed(uri, `its version was ${seen.version}, and is ${now.version}`);
  }
  const [before, after] = [seen.modifiedAtMs, now.modifiedAtMs];
  if (before !== undefined && after !== undefined && before !== after)
    throw changed(
      uri,
      `it was last modified at ${new Date(before).toISOString()} then, and at ${new Date(after).toISOString()} now`,
    );
}
