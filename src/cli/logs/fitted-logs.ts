import type { ListedLog } from '../../logs/log-reader.ts';
import { formatCount } from '../../options/figures.ts';
import type { CallOptions, DataStoreStorage } from '../../storage/contract.ts';
import { shortText } from '../../views/fitted-json.ts';
import { findTail, readTail } from './log-tail.ts';

/** A line is told by so many bytes at most, so that those around it have room; by more where few are wanted. */
const MAX_LINE_BYTES = 4_000;
/** The lines that fit are looked for in so many times the bytes that they may take: long ones are cut. */
const READ_FACTOR = 8;
/** A log is told by at least so many bytes: rather than less, logs are left out. */
const LEAST_LOG_BYTES = 1_000;
/** What is around the logs of a document. */
const ENVELOPE_BYTES = 200;

/** The end of a log that fits. */
export interface FittedLog {
  /** Its lines, the long ones cut, behind a line that tells how many bytes of the log come before. */
  text: string;
  /** Something was left out so that it fits. */
  isCut: boolean;
  /** So many bytes at the end are the beginning of a character, and not in the text. */
  unread: number;
}

/**
 * The last lines of a log that take at most `maxBytes` as JSON, each as far as it is not very long. Reads the parts that they lie in, and
 * has eight times as many bytes in memory.
 */
export async function fittedTail(
  storage: DataStoreStorage,
  log: ListedLog,
  { lines, maxBytes }: { lines: number; maxBytes: number },
  options: CallOptions,
): Promise<FittedLog> {
  const start = await findTail(storage, log, lines, options, maxBytes * READ_FACTOR);
  const pieces: Uint8Array[] = [];
  for await (const piece of readTail(storage, start, options)) pieces.push(piece);
  const body = Buffer.concat(pieces);
  const begin = start.isCutOff ? begunBytes(body) : 0;
  const unread = unendedBytes(body);
  const whole = body.subarray(begin, body.length - unread).toString();
  const before = Math.max(0, log.bytes - body.length) + begin;
  const maxLineBytes = Math.max(MAX_LINE_BYTES, Math.floor(maxBytes / (lines + 2)));
  const { text, isCut } = lastLines(whole, { maxBytes, maxLineBytes }, { before, isCutOff: start.isCutOff });
  return { text, isCut, unread };
}

/** @param of.before - the bytes of the log before the text, where `isCutOff` tells that some of them are wanted as well */
function lastLines(
  text: string,
  { maxBytes, maxLineBytes }: { maxBytes: number; maxLineBytes: number },
  { before, isCutOff }: { before: number; isCutOff: boolean },
): { text: string; isCut: boolean } {
  if (!isCutOff && jsonBytes(text) <= maxBytes) return { text, isCut: false };
  const lines = text.split('\n');
  let left = maxBytes - jsonBytes(markOf(before + Buffer.byteLength(text)));
  let isCut = isCutOff;
  /** The last line first. */
  const kept: string[] = [];
  for (let at = lines.length - 1; at >= 0; at--) {
    const line = lines[at] as string;
    // The last line, behind which there may be an empty one, is there in any case.
    const isLast = at >= lines.length - 2;
    const short = shortText(line, isLast ? Math.min(maxLineBytes, left) : maxLineBytes);
    if (jsonBytes(short) > left) break;
    isCut ||= short !== line;
    left -= jsonBytes(short);
    kept.push(short);
  }
  const dropped = lines.slice(0, lines.length - kept.length);
  const droppedBytes = dropped.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
  const shown = kept.reverse().join('\n');
  if (droppedBytes === 0 && !isCutOff) return { text: shown, isCut };
  return { text: `${markOf(before + droppedBytes)}\n${shown}`, isCut: true };
}

/** The bytes of a line as JSON; its quotes are as long as its end. */
function jsonBytes(line: string): number {
  return Buffer.byteLength(JSON.stringify(line));
}

function markOf(bytes: number): string {
  return `… (${formatCount(bytes)} bytes before)`;
}

/** The bytes of a character of UTF-8 that began before these. */
function begunBytes(body: Uint8Array): number {
  const at = body.subarray(0, 3).findIndex((byte) => byte < 0x80 || byte >= 0xc0);
  return at === -1 ? 0 : at;
}

/** The bytes of a character of UTF-8 that goes on behind the end. */
function unendedBytes(body: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, body.length); back++) {
    const byte = body[body.length - back] as number;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
  }
  return 0;
}

/** A log with what a document tells of it beside its text. */
export interface HeadedLog extends ListedLog {
  /** Its members as JSON, without the closing brace. */
  head: string;
}

/**
 * The document of the last lines of some logs, piece by piece, which takes at most `maxBytes`: those that take less leave more to the ones
 * behind them. Where they are too many, the first are told, and `more` counts the others.
 */
export async function* fittedLogs(
  storage: DataStoreStorage,
  logs: readonly HeadedLog[],
  { lines, maxBytes }: { lines: number; maxBytes: number },
  options: CallOptions,
): AsyncGenerator<string> {
  const shown = firstWithRoom(logs, maxBytes - ENVELOPE_BYTES);
  let left = maxBytes - ENVELOPE_BYTES - shown.reduce((sum, log) => sum + headBytes(log), 0);
  yield '{"logs":[';
  for (const [index, log] of shown.entries()) {
    const share = Math.floor(left / (shown.length - index));
    const { text, isCut } = await fittedTail(storage, log, { lines, maxBytes: share }, options);
    const json = JSON.stringify(text);
    left -= Buffer.byteLength(json);
    yield `${index === 0 ? '' : ','}${log.head},"text":${json}${isCut ? ',"isCut":true' : ''}}`;
  }
  const more = logs.length - shown.length;
  yield more === 0 ? ']}\n' : `],"more":${more}}\n`;
}

function firstWithRoom(logs: readonly HeadedLog[], maxBytes: number): readonly HeadedLog[] {
  let bytes = 0;
  const end = logs.findIndex((log) => {
    bytes += headBytes(log) + LEAST_LOG_BYTES;
    return bytes > maxBytes;
  });
  return end === -1 ? logs : logs.slice(0, end);
}

/** With the members beside it. */
function headBytes({ head }: HeadedLog): number {
  return Buffer.byteLength(head) + 30;
}
