import type { FindConditions, MetadataComparison } from '../../store-index/find-conditions.ts';
import { usageError } from '../cli-error.ts';

/** `!=` and `==` are none: what looks like one is not taken for a path or a text. */
const CONDITION = /^([^<>=]*[^<>=!\s])\s*(?:(>=|<=|=|>|<)(?!=)\s*(.*))?$/s;
const NAMES: Readonly<Record<string, keyof MetadataComparison>> = {
  '=': 'eq',
  '>': 'gt',
  '>=': 'gte',
  '<': 'lt',
  '<=': 'lte',
};
const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;
const QUOTED = /^".*"$/s;

/**
 * Conditions on metadata from the command line: `auc>0.9`, `lang=en`, `scores.auc` (there is such a leaf). A number is compared as one, and
 * as a text in quotes: `version="7"`. Several on one leaf must all be met.
 *
 * @throws CliError `USAGE`
 */
export function parseMetadata(conditions: readonly string[]): FindConditions['metadata'] {
  const parsed = new Map<string, MetadataComparison>();
  for (const condition of conditions) {
    const [, path, operator, text = ''] = CONDITION.exec(condition) ?? [];
    if (path === undefined)
      throw usageError(
        `--metadata is a condition such as auc>0.9, lang=en or auc, not ${JSON.stringify(condition)}.`,
        { condition },
      );
    const name = operator === undefined ? 'exists' : (NAMES[operator] as keyof MetadataComparison);
    const others = parsed.get(path) ?? {};
    if (name in others)
      throw usageError(`--metadata compares ${path} twice in the same way: leave one out.`, { condition });
    parsed.set(path, { ...others, [name]: operator === undefined ? true : leafOf(text) });
  }
  return Object.fromEntries(parsed);
}

function leafOf(given: string): string | number {
  const text = given.trimEnd();
  if (NUMBER.test(text)) return Number(text);
  return QUOTED.test(text) ? text.slice(1, -1) : text;
}
