import { type ListedLog, readLog } from '../../logs/log-reader.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';

const LINE_END = 0x0a;

/** The place where the last lines of a log begin. */
export interface TailStart {
  /** The names of the parts that they lie in. */
  parts: readonly string[];
  /** The bytes of the first of these that come before them. */
  skippedBytes: number;
  /** Their length together, in bytes. */
  bytes: number;
  /** It is where no more was looked at, and no beginning of these lines. */
  isCutOff: boolean;
}

/** Finds the last `lines` lines of a log, at most `maxBytes` of them: its parts are read from the end, one in memory at a time. */
export async function findTail(
  storage: DataStoreStorage,
  { parts }: Pick<ListedLog, 'parts'>,
  lines: number,
  { signal }: CallOptions,
  maxBytes: number = Number.POSITIVE_INFINITY,
): Promise<TailStart> {
  if (lines === 0) return { parts: [], skippedBytes: 0, bytes: 0, isCutOff: false };
  let bytes = 0;
  let ends = 0;
  for (let index = parts.length - 1; index >= 0; index--) {
    const object = await storage.get(parts[index] as string, { signal });
    if (!object) continue; // it was scrubbed or retired since it was listed
    const { body } = object;
    // What ends the log ends its last line, and begins none.
    const end = bytes === 0 && body.at(-1) === LINE_END ? body.length - 1 : body.length;
    const furthest = body.length - (maxBytes - bytes);
    const from = (skippedBytes: number, isCutOff: boolean): TailStart => {
      return { parts: parts.slice(index), skippedBytes, bytes: bytes + body.length - skippedBytes, isCutOff };
    };
    for (let at = lineEndBefore(body, end); at >= furthest && at !== -1; at = lineEndBefore(body, at)) {
      ends += 1;
      if (ends === lines) return from(at + 1, false);
    }
    if (furthest > 0) return from(furthest, true);
    bytes += body.length;
  }
  return { parts, skippedBytes: 0, bytes, isCutOff: false };
}

/** The last lines of a log, piece by piece. */
export async function* readTail(
  storage: DataStoreStorage,
  { parts, skippedBytes }: TailStart,
  options: CallOptions,
): AsyncGenerator<Uint8Array> {
  let skipped = skippedBytes;
  for await (const piece of readLog(storage, parts, options)) {
    yield piece.subarray(skipped);
    skipped = 0;
  }
}

/** The last line end before `index`, or -1; a search from -1 would begin at the end again. */
function lineEndBefore(body: Uint8Array, index: number): number {
  return index <= 0 ? -1 : body.lastIndexOf(LINE_END, index - 1);
}
