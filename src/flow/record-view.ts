import { inspect } from 'node:util';
import { printable, printableLines } from '../codec/printable-text.ts';
import { AMOUNT, FLAG, NAMES, type OptionTable } from '../options/option-table.ts';
import type { CallOptions } from '../storage/contract.ts';
import type { ArrowTable } from '../values/arrow-library.ts';
import { isArrowTable } from '../values/arrow-table.ts';
import type { ArtifactInfo } from './artifact-info.ts';

/** Values beyond this many bytes are not loaded by `format`, unless told otherwise. */
const FORMAT_MAX_VALUE_BYTES = 1_000;
const MAX_LINES = 8;
const MAX_CHARACTERS = 1_200;
/** One line but for the stacks of errors; no code of a loaded class decides how it looks. */
const SHOWN = {
  compact: true,
  breakLength: Number.POSITIVE_INFINITY,
  customInspect: false,
  depth: 4,
  maxArrayLength: 20,
  maxStringLength: 1_000,
} as const;

/** The choice of what `toRecord` and `format` show of an attempt. */
export interface RecordOptions {
  /** Only these artifacts, private ones too. Default: all. */
  names?: readonly string[] | undefined;
  /** Larger values are shown as {@link ArtifactTooLarge}. Default: no limit for `toRecord`, 1,000 for `format`. */
  maxValueBytes?: number | undefined;
  /** Shows artifacts whose names begin with `_` as well, where `names` does not name any. Default `false`. */
  showPrivate?: boolean | undefined;
}

export const RECORD_OPTIONS: OptionTable<RecordOptions> = {
  names: NAMES,
  maxValueBytes: AMOUNT,
  showPrivate: FLAG,
};

/** Stands for a value that was too large to be loaded. */
export class ArtifactTooLarge {
  readonly name: string;
  /** The kind of value, in a word for people. */
  readonly type: string;
  /** Length of its serialized bytes. */
  readonly bytes: number;

  constructor(name: string, type: string, bytes: number) {
    this.name = name;
    this.type = type;
    this.bytes = bytes;
  }

  /** Its text for people: `<string of 30000 bytes>`. */
  toString(): string {
    return `<${this.type} of ${this.bytes} bytes>`;
  }
}

/** The artifacts that are shown, as their task knows them. */
interface ShownTask {
  names(): readonly string[];
  info(name: string): ArtifactInfo;
  loadArtifacts(names: readonly string[], options: CallOptions): Promise<Record<string, unknown>>;
}

/** The artifacts of a task by their names, with an {@link ArtifactTooLarge} in place of every value that is not loaded. */
export async function recordOf(
  task: ShownTask,
  options: RecordOptions & CallOptions,
): Promise<Record<string, unknown>> {
  const { names = task.names(), maxValueBytes = Number.POSITIVE_INFINITY, signal } = options;
  const shown = shownNames(names, options).map((name) => task.info(name));
  const small = shown.filter(({ bytes }) => bytes <= maxValueBytes).map(({ name }) => name);
  const loaded = await task.loadArtifacts(small, { signal });
  return Object.fromEntries(
    shown.map(({ name, type, bytes }) => [
      name,
      bytes <= maxValueBytes ? loaded[name] : new ArtifactTooLarge(name, type, bytes),
    ]),
  );
}

/** The artifacts of a task as text: a line each, or a few of which all but the first are indented. */
export async function formatRecord(task: ShownTask, options: RecordOptions & CallOptions): Promise<string> {
  const { maxValueBytes = FORMAT_MAX_VALUE_BYTES } = options;
  const record = await recordOf(task, { ...options, maxValueBytes });
  return Object.entries(record)
    .map(([name, value]) => formatArtifact(task.info(name), value))
    .join('\n');
}

/** The names to show, of all `names`. */
function shownNames(names: readonly string[], options: RecordOptions): string[] {
  // Who names an artifact means it.
  const showsAll = options.showPrivate || options.names !== undefined;
  return names.filter((name) => showsAll || !name.startsWith('_'));
}

/** One line, or a few of which all but the first are indented, about one artifact. */
export function formatArtifact(
  { name, type, bytes }: { name: string; type: string; bytes: number },
  value: unknown,
): string {
  const shown = value instanceof ArtifactTooLarge ? printable(String(value)) : valueText(value);
  // Indented, no stored text looks like the line of another artifact.
  return `${printable(name)} [${bytes} bytes, ${printable(type)}] = ${shown.replaceAll('\n', '\n  ')}`;
}

/** A loaded value for people, cut to a few lines: `Table of 2 rows: year Int32, rating Float64`. */
function valueText(value: unknown): string {
  return cut(printableLines(textOf(value)));
}

function textOf(value: unknown): string {
  if (isArrowTable(value)) return tableText(value);
  if (value instanceof URL) return `URL ${value.href}`;
  try {
    return inspect(value, SHOWN);
  } catch (error) {
    // A getter of a registered class threw, of its name say: the other artifacts are shown nevertheless.
    return `<cannot be shown: ${inspect(error, { depth: 0, customInspect: false })}>`;
  }
}

function tableText({ schema, batches }: ArrowTable): string {
  const rows = batches.reduce((sum, { numRows }) => sum + numRows, 0);
  const columns = schema.fields.map(({ name, type }) => `${printable(name)} ${printable(String(type))}`);
  return `Table of ${rows} ${rows === 1 ? 'row' : 'rows'}: ${columns.join(', ') || 'no columns'}`;
}

function cut(text: string): string {
  const lines = text.split('\n');
  const few = lines.slice(0, MAX_LINES).join('\n');
  const short = few.slice(0, MAX_CHARACTERS).replace(/[\ud800-\udbff]$/, '');
  return short.length < text.length ? `${short}…` : text;
}
