import type { Asked } from './asked.ts';

/** What an export says of itself, to the page in it. */
export interface ExportMark {
  /** When it was made, ISO 8601. */
  at: string;
  /** So many runs are in it, */
  runs: number;
  /** and of each the pages of so many tasks at most; `null` where there is no limit. */
  tasksOfRun: number | null;
}

/** Of a table so many first rows are in an export, and so many files of a directory with what they hold. */
export const EXPORTED_ROWS = 1_000;
export const EXPORTED_FILES = 20;

/** What is missing in an export, as its page tells it. */
export const NOT_EXPORTED = 'NOT_EXPORTED';

/** The question for what an image, audio or video holds: its answer is a `data:` address. Only exports have answers to it. */
export function contentQuestion(pathspec: string, artifact: string, entry: string | undefined): Asked {
  return { command: 'content', args: [pathspec, artifact], options: entry === undefined ? {} : { entry } };
}

/** The question for the file that a report is in. Only exports have answers to it. */
export function reportQuestion(pathspec: string, name: string): Asked {
  return { command: 'report', args: [pathspec, name] };
}

/**
 * The file with the answer to a question, by its address. Questions that share a file, which 32 bits make rare and nothing excludes, have
 * their answers behind each other. FNV-1a of Fowler, Noll and Vo, of UTF-16 code units.
 */
export function answerFile(address: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < address.length; at++) hash = Math.imul(hash ^ address.charCodeAt(at), 0x01000193);
  return `answers/${(hash >>> 0).toString(16).padStart(8, '0')}.js`;
}

/**
 * A script that hands an answer over, which is JSON. It is a text in the script, so that nothing in it is code, and no member `__proto__` is
 * a prototype.
 */
export function answerScript(address: string, json: string): string {
  return `stowageAnswer(${inScript(address)},${inScript(json)});\n`;
}

/** A script that says what the export is. */
export function markScript(mark: ExportMark): string {
  return `globalThis.stowageExport=${inScript(mark)};\n`;
}

/** JSON that stands in a script, whatever reads that: no end of it, no comment of HTML, and no end of a line. */
function inScript(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
