import { invalidArgument } from '../../errors.ts';
import { type Age, bytesOfSize, millisecondsOf, type Size } from '../../options/measures.ts';
import { checkMembers } from '../../options/option-names.ts';
import {
  ANYTHING,
  checkKinds,
  FLAG,
  NAMES,
  type OptionKind,
  type OptionTable,
  wholeNumber,
} from '../../options/option-table.ts';
import { validateUserName } from '../../storage/names.ts';

/** How far a run got: `open` until its end is recorded; `abandoned` if nobody recorded it, and its tasks fell silent. */
export type RunStatus = 'open' | 'done' | 'failed' | 'abandoned';

/** The runs that stay by their age and number: those that either rule keeps. */
export interface RunLimits {
  /** Runs that were created no longer ago stay. */
  keepWithin?: Age | undefined;
  /** The newest so many runs of each flow stay. */
  keepLast?: number | undefined;
}

/**
 * The runs of a flow that stay. A run goes where `keepWithin` or `keepLast` is given and neither keeps it, or where `maxBytes` is exceeded.
 * Whatever the limits, a run stays that has one of `keepTags` or `keepStatus`, is pinned, or still runs: is not finished, with a sign of life in the
 * last 24 hours.
 */
export interface RunRules extends RunLimits {
  /** Of the runs that stay otherwise the oldest go until the stored bytes that the others refer to, shared ones once, are no more. */
  maxBytes?: Size | undefined;
  /** Runs with one of these tags stay. */
  keepTags?: readonly string[] | undefined;
  /** Runs that ended so stay. */
  keepStatus?: readonly RunStatus[] | undefined;
  /** Limits of runs that failed or were abandoned, in place of `keepWithin` and `keepLast`. `{}` keeps them. Default: the same. */
  failed?: RunLimits | undefined;
  /**
   * Gives up the content alone: runs stay in listings with their metadata, logs and inline values, and loading what was not inline says
   * `CONTENT_PURGED`. Default `false`.
   */
  contentOnly?: boolean | undefined;
}

/** The entries of the cache that stay: those that one of the rules keeps, all where there is none. Expired ones go in any case. */
export interface CacheRules {
  /** Entries that were stored no longer ago stay. */
  keepWithin?: Age | undefined;
  /** Entries that were a hit, or were stored, no longer ago stay. Hits are told by the day. */
  keepUsedWithin?: Age | undefined;
  /** The newest so many entries of each task stay. */
  keepLast?: number | undefined;
  /** Of the entries that stay otherwise the oldest go until the others, with what their results take up, have no more bytes. */
  maxBytes?: Size | undefined;
}

/** What a store keeps: rules for all flows, for some of them, and for entries of the cache. */
export interface RetentionPolicy extends RunRules {
  /** The rules of single flows by their names, each in place of all rules above: `{}` keeps all its runs. */
  flows?: Readonly<Record<string, RunRules>> | undefined;
  /** The rules of entries of the cache. An entry that stays keeps its attempt, whatever the rules of runs. Default: those that have not expired stay. */
  cache?: CacheRules | undefined;
}

/** {@link RunLimits} with numbers alone. */
export interface ReadLimits {
  keepWithinMs: number | undefined;
  keepLast: number | undefined;
}

/** {@link RunRules} with numbers alone. */
export interface ReadRules extends ReadLimits {
  maxBytes: number | undefined;
  keepTags: ReadonlySet<string>;
  keepStatus: ReadonlySet<RunStatus>;
  failed: ReadLimits;
  /** Failed runs are counted by themselves. */
  hasOwnFailed: boolean;
  contentOnly: boolean;
}

/** {@link CacheRules} with numbers alone. */
export interface ReadCacheRules extends ReadLimits {
  keepUsedWithinMs: number | undefined;
  maxBytes: number | undefined;
}

/** A policy that was checked. */
export interface ReadPolicy {
  /** The rules of a flow. Flows with the same rules share the object, and so its `maxBytes`. */
  rulesOf(flow: string): ReadRules;
  cache: ReadCacheRules;
}

const COUNT = wholeNumber(0);
const STATUSES: readonly RunStatus[] = ['open', 'done', 'failed', 'abandoned'];
const STATUS_LIST: OptionKind = {
  expects: `a list of ${STATUSES.join(', ')}`,
  accepts: (value) => Array.isArray(value) && value.every((status) => STATUSES.includes(status as RunStatus)),
};
const LIMITS: OptionTable<RunLimits> = { keepWithin: ANYTHING, keepLast: COUNT };
const RULES: OptionTable<RunRules> = {
  ...LIMITS,
  maxBytes: ANYTHING,
  keepTags: NAMES,
  keepStatus: STATUS_LIST,
  failed: ANYTHING,
  contentOnly: FLAG,
};
const CACHE_RULES: OptionTable<CacheRules> = {
  keepWithin: ANYTHING,
  keepUsedWithin: ANYTHING,
  keepLast: COUNT,
  maxBytes: ANYTHING,
};
const POLICY: OptionTable<RetentionPolicy> = { ...RULES, flows: ANYTHING, cache: ANYTHING };

/**
 * Checks a policy, and reads its ages and sizes.
 *
 * @throws StowageError `INVALID_ARGUMENT`, with the text that is no age, size, count or name of a rule; `INVALID_NAME` for what is no flow
 */
export function readPolicy(policy: unknown): ReadPolicy {
  checkPart<RetentionPolicy>(policy, 'A policy', POLICY, '');
  const ofAll = readRules(policy, '');
  const flows = new Map<string, ReadRules>();
  if (policy.flows !== undefined) {
    if (!isObject(policy.flows))
      throw invalidArgument('flows of a policy must be an object of rules by the names of flows.');
    for (const [flow, rules] of Object.entries(policy.flows)) {
      validateUserName(flow, 'flow name');
      checkPart<RunRules>(rules, `The policy of flow ${flow}`, RULES, ` of flow ${flow}`);
      flows.set(flow, readRules(rules, ` of flow ${flow}`));
    }
  }
  return { rulesOf: (flow) => flows.get(flow) ?? ofAll, cache: readCacheRules(policy.cache) };
}

/** True where a run goes for want of a rule that keeps it. */
export function isLimited({ keepWithinMs, keepLast }: ReadLimits): boolean {
  return keepWithinMs !== undefined || keepLast !== undefined;
}

function readRules(rules: RunRules, owner: string): ReadRules {
  const { maxBytes, keepTags = [], keepStatus = [], failed, contentOnly = false } = rules;
  const limits = readLimits(rules, owner);
  if (failed !== undefined) checkPart<RunLimits>(failed, `failed${owner}`, LIMITS, ` of failed${owner}`);
  return {
    ...limits,
    maxBytes: maxBytes === undefined ? undefined : bytesOfSize(maxBytes, `maxBytes${owner}`),
    keepTags: new Set(keepTags),
    keepStatus: new Set(keepStatus),
    failed: failed === undefined ? limits : readLimits(failed, ` of failed${owner}`),
    hasOwnFailed: failed !== undefined,
    contentOnly,
  };
}

function readLimits({ keepWithin, keepLast }: RunLimits, owner: string): ReadLimits {
  return { keepWithinMs: readAge(keepWithin, `keepWithin${owner}`), keepLast };
}

function readCacheRules(rules: CacheRules | undefined): ReadCacheRules {
  const of = ' of cache';
  if (rules !== undefined) checkPart<CacheRules>(rules, 'cache', CACHE_RULES, of);
  const { maxBytes, keepUsedWithin } = rules ?? {};
  return {
    ...readLimits(rules ?? {}, of),
    keepUsedWithinMs: readAge(keepUsedWithin, `keepUsedWithin${of}`),
    maxBytes: maxBytes === undefined ? undefined : bytesOfSize(maxBytes, `maxBytes${of}`),
  };
}

function readAge(age: Age | undefined, option: string): number | undefined {
  return age === undefined ? undefined : millisecondsOf(age, option);
}

function checkPart<Part extends object>(
  part: unknown,
  what: string,
  table: OptionTable<Part>,
  owner: string,
): asserts part is Part {
  if (!isObject(part))
    throw invalidArgument(`${what} must be an object of rules, such as { keepWithin: '30d' }.`);
  checkMembers(part, what, Object.keys(table));
  checkKinds(part as Part, table, owner);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
