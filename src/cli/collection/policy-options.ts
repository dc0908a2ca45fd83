import type { CacheRules, RetentionPolicy, RunRules, RunStatus } from '../../maintenance/retention/policy.ts';
import { usageError } from '../cli-error.ts';
import type { OptionDeclaration } from '../declaration.ts';
import { parseBytes } from '../ui/sizes.ts';
import { parseAge } from '../ui/times.ts';

/** The options of `stowage gc` that are rules. */
export interface RuleOptions {
  keepLast?: string;
  keepWithin?: string;
  maxSize?: string;
  keepTag?: string[];
  keepStatus?: string[];
  flow?: string;
  contentOnly?: boolean;
  cacheKeepLast?: string;
  cacheKeepWithin?: string;
  cacheKeepUsed?: string;
  cacheMaxSize?: string;
}

const STATUSES: readonly RunStatus[] = ['open', 'done', 'failed', 'abandoned'];

/** The same words as in a policy's file, as far as they are words of a command line. */
export const RULE_OPTIONS: readonly OptionDeclaration[] = [
  { flags: '--keep-last <count>', text: 'keep the newest runs of each flow' },
  { flags: '--keep-within <age>', text: 'keep runs that were made since (30d, 12h)' },
  { flags: '--max-size <size>', text: 'delete the oldest runs until the others take no more (500GB)' },
  { flags: '--keep-tag <tag>', text: 'keep runs with this tag; repeat it for more', repeats: true },
  {
    flags: '--keep-status <status>',
    text: 'keep runs that ended so; repeat it for more',
    choices: STATUSES,
    repeats: true,
  },
  { flags: '--flow <flow>', text: 'only runs of this flow' },
  { flags: '--content-only', text: 'delete the content of runs, and keep their history' },
  { flags: '--cache-keep-last <count>', text: 'keep the newest cache entries of each task' },
  { flags: '--cache-keep-within <age>', text: 'keep cache entries that were stored since' },
  { flags: '--cache-keep-used <age>', text: 'keep cache entries that were used since' },
  { flags: '--cache-max-size <size>', text: 'delete the oldest cache entries until the others take no more' },
];

/**
 * The policy that options ask for; `undefined` where there is no rule among them.
 *
 * @throws CliError `USAGE`
 */
export function policyOfOptions(options: RuleOptions): RetentionPolicy | undefined {
  const rules: RunRules = {
    ...given('keepLast', options.keepLast, (text) => parseCount(text, '--keep-last')),
    ...given('keepWithin', options.keepWithin, (text) => checkedAge(text, '--keep-within')),
    ...given('maxBytes', options.maxSize, (text) => checkedSize(text, '--max-size')),
    ...given('keepTags', options.keepTag, (tags) => tags),
    ...given('keepStatus', options.keepStatus, (statuses) => statuses.map(parseStatus)),
    ...given('contentOnly', options.contentOnly, (only) => only),
  };
  const cache: CacheRules = {
    ...given('keepLast', options.cacheKeepLast, (text) => parseCount(text, '--cache-keep-last')),
    ...given('keepWithin', options.cacheKeepWithin, (text) => checkedAge(text, '--cache-keep-within')),
    ...given('keepUsedWithin', options.cacheKeepUsed, (text) => checkedAge(text, '--cache-keep-used')),
    ...given('maxBytes', options.cacheMaxSize, (text) => checkedSize(text, '--cache-max-size')),
  };
  const { keepLast, keepWithin, maxBytes } = rules;
  const { flow } = options;
  const isLimited = keepLast !== undefined || keepWithin !== undefined || maxBytes !== undefined;
  const isRuled = Object.keys(rules).length > 0 || flow !== undefined;
  if (isRuled && !isLimited) {
    throw usageError(
      'Nothing would be deleted by that: say which runs may go, by --keep-last, --keep-within or --max-size.',
    );
  }
  const isCached = Object.keys(cache).length > 0;
  if (!isRuled && !isCached) return undefined;
  return { ...(flow === undefined ? rules : { flows: { [flow]: rules } }), ...(isCached ? { cache } : {}) };
}

/** The member that an option becomes; none where it was not given. */
function given<Name extends string, Given, Value>(
  name: Name,
  value: Given | undefined,
  read: (value: Given) => Value,
): { [N in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: read(value) } as { [N in Name]?: Value });
}

function parseCount(text: string, option: string): number {
  if (/^(0|[1-9]\d{0,8})$/.test(text)) return Number(text);
  throw usageError(`${option} is a number from 0 on, not ${JSON.stringify(text)}.`);
}

function parseStatus(text: string): RunStatus {
  const status = STATUSES.find((one) => one === text);
  if (status) return status;
  throw usageError(`--keep-status is one of ${STATUSES.join(', ')}, not ${JSON.stringify(text)}.`);
}

/** Ages and sizes stay as they were written, for whoever reads the policy. */
function checkedAge(text: string, option: string): string {
  parseAge(text, option);
  return text;
}

function checkedSize(text: string, option: string): string {
  parseBytes(text, option);
  return text;
}
