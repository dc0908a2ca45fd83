import { invalidArgument } from '../errors.ts';
import { checkOptions, DATE, NAMES, type OptionTable, oneOf, TEXT } from '../options/option-table.ts';
import { textOf } from './index-database.ts';
import { MAX_PATH, MAX_TEXT } from './metadata-leaves.ts';

/** A leaf of metadata is compared with a number or a text by one of these; `exists` asks only for the leaf. */
export interface MetadataComparison {
  eq?: string | number | boolean | undefined;
  gt?: string | number | undefined;
  gte?: string | number | undefined;
  lt?: string | number | undefined;
  lte?: string | number | undefined;
  exists?: true | undefined;
}

/** The attempts that are looked for: those that meet every condition that is given. */
export interface FindConditions {
  flow?: string | undefined;
  /** Needs `flow`. */
  run?: string | undefined;
  step?: string | undefined;
  /** Needs `flow` and `run`. */
  task?: string | undefined;
  /** The name of an artifact. `artifact`, `type` and `key` are met by one and the same artifact. */
  artifact?: string | undefined;
  /** The type of an artifact, as `show` tells it: `object`, `Float64Array`. */
  type?: string | undefined;
  /** The key of an artifact's content, or its beginning: from 8 hexadecimal digits on. */
  key?: string | undefined;
  /** The run has this tag, or all of these. */
  tag?: string | readonly string[] | undefined;
  /** Default: every status but `deleted`. */
  status?: FoundStatus | undefined;
  /** Only attempts that started then or later. */
  since?: Date | undefined;
  /** Leaves of metadata by their paths, `auc` or `scores.auc`: a value that they equal, or comparisons. */
  metadata?: Readonly<Record<string, string | number | boolean | MetadataComparison>> | undefined;
}

/** A status of an attempt that can be asked for. */
export type FoundStatus = (typeof STATUSES)[number];

const STATUSES = ['open', 'done', 'failed', 'abandoned', 'deleted', 'damaged', 'unreadable'] as const;

const RECORD = {
  expects: 'an object such as { auc: { gt: 0.9 } }',
  accepts: (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value),
};
const TEXT_OR_NAMES = {
  expects: 'a tag, or a list of tags',
  accepts: (value: unknown): boolean => TEXT.accepts(value) || NAMES.accepts(value),
};

/** The kinds of {@link FindConditions}. */
export const CONDITIONS: OptionTable<FindConditions> = {
  flow: TEXT,
  run: TEXT,
  step: TEXT,
  task: TEXT,
  artifact: TEXT,
  type: TEXT,
  key: TEXT,
  tag: TEXT_OR_NAMES,
  status: oneOf(...STATUSES),
  since: DATE,
  metadata: RECORD,
};

const COMPARISONS = { eq: '=', gt: '>', gte: '>=', lt: '<', lte: '<=' } as const;
const VALUE = {
  expects: 'a number, a text, true or false',
  accepts: (value: unknown): boolean => ['number', 'string', 'boolean'].includes(typeof value),
};
const COMPARED: OptionTable<MetadataComparison> = {
  eq: VALUE,
  gt: VALUE,
  gte: VALUE,
  lt: VALUE,
  lte: VALUE,
  exists: { expects: 'true', accepts: (value) => value === true },
};

/** Conditions as SQL on `attempts a`. */
export interface Terms {
  /** On columns of the attempt itself. */
  readonly own: readonly string[];
  /** Each tells the attempts that meet a condition on another table: `select attempt_id from ...`. */
  readonly elsewhere: readonly string[];
  readonly parameters: unknown[];
}

/** @throws StowageError `INVALID_ARGUMENT` */
export function termsOf(conditions: FindConditions): Terms {
  const { flow, run, step, task, artifact, type, key, tag, status, since, metadata } = conditions;
  if (run !== undefined && flow === undefined) throw needs('run', 'flow');
  if (task !== undefined && run === undefined) throw needs('task', 'flow and run');
  const parameters: unknown[] = [];
  const p = (value: unknown): string => `$${parameters.push(value)}`;
  const own: string[] = [];
  for (const [column, value] of Object.entries({ flow, run, step, task, status }))
    if (value !== undefined) own.push(`a.${column} = ${p(textOf(value))}`);
  if (status === undefined) own.push("a.status <> 'deleted'");
  if (since) own.push(`a.started_at >= ${p(since.getTime())}`);
  const elsewhere: string[] = [];
  const ofArtifact: string[] = [];
  if (artifact !== undefined) ofArtifact.push(`name = ${p(textOf(artifact))}`);
  if (type !== undefined) ofArtifact.push(`type = ${p(textOf(type))}`);
  if (key !== undefined) ofArtifact.push(keyTerm(key, p));
  if (ofArtifact.length > 0)
    elsewhere.push(`select attempt_id from artifacts where ${ofArtifact.join(' and ')}`);
  for (const one of tag === undefined ? [] : [tag].flat())
    elsewhere.push(
      `select t.id from run_tags r join attempts t on t.flow = r.flow and t.run = r.run where r.tag = ${p(textOf(one))}`,
    );
  for (const [path, wanted] of Object.entries(metadata ?? {}))
    elsewhere.push(
      `select attempt_id from metadata where path = ${p(leafPath(path))}${leafTerms(path, wanted, p)}`,
    );
  return { own, elsewhere, parameters };
}

/** @throws StowageError `INVALID_ARGUMENT` */
export function keyTerm(key: string, p: (value: unknown) => string): string {
  if (!/^[0-9a-f]{8,64}$/.test(key))
    throw invalidArgument(
      `${JSON.stringify(key.slice(0, 100))} is no key of content: those have 64 hexadecimal digits, of which 8 or more are given.`,
      { key },
    );
  // g follows the last digit.
  return key.length === 64 ? `key = ${p(key)}` : `key >= ${p(key)} and key < ${p(`${key}g`)}`;
}

function leafPath(path: string): string {
  if (path.length <= MAX_PATH) return textOf(path);
  throw invalidArgument(`An index has paths of metadata of at most ${MAX_PATH} characters.`, { path });
}

function leafTerms(
  path: string,
  wanted: string | number | boolean | MetadataComparison,
  p: (value: unknown) => string,
): string {
  const isPlain = VALUE.accepts(wanted);
  if (!isPlain && !RECORD.accepts(wanted))
    throw invalidArgument(
      `metadata.${path} must be a number, a text, true, false, or comparisons such as { gt: 0.9 }.`,
    );
  const comparison = (isPlain ? { eq: wanted } : wanted) as MetadataComparison;
  checkOptions(comparison, `metadata.${path}`, COMPARED);
  const terms: string[] = [];
  for (const [name, operator] of Object.entries(COMPARISONS)) {
    const value = comparison[name as keyof typeof COMPARISONS];
    if (value === undefined) continue;
    if (typeof value === 'number' && !Number.isFinite(value))
      throw invalidArgument(`metadata.${path} is compared with a finite number, not ${value}.`);
    if (typeof value === 'string' && value.length > MAX_TEXT)
      throw invalidArgument(`An index has the first ${MAX_TEXT} characters of a text, and compares no more.`);
    if (typeof value === 'number') terms.push(`number ${operator} ${p(value)}`);
    else terms.push(`number is null and text ${operator} ${p(textOf(String(value)))}`);
  }
  if (terms.length === 0 && comparison.exists !== true)
    throw invalidArgument(
      `metadata.${path} names no comparison: { eq, gt, gte, lt, lte } or { exists: true }.`,
    );
  return terms.map((term) => ` and ${term}`).join('');
}

function needs(option: string, others: string): Error {
  return invalidArgument(`${option} is looked for within ${others}: give ${others} as well.`, { option });
}
