import type { JsonValue } from '../../../format/json-value.ts';

/** So many are offered. */
const MAX_LEAVES = 200;
/** Longer paths are not in the index. */
const MAX_PATH = 200;
/** What a condition on metadata can name: nothing that reads as a comparison. */
const ASKABLE = /^[^<>=]*[^<>=!\s]$/;

/** The paths of the numbers in metadata, as the index names them: `auc`, `loss.train`, of lists `folds.0`. */
export function numberLeaves(metadata: Readonly<Record<string, JsonValue>>): string[] {
  const leaves: string[] = [];
  const walk = (value: JsonValue, path: string): void => {
    if (leaves.length === MAX_LEAVES || path.length > MAX_PATH) return;
    if (typeof value === 'number' && ASKABLE.test(path)) leaves.push(path);
    if (typeof value !== 'object' || value === null) return;
    for (const [name, member] of Object.entries(value))
      walk(member as JsonValue, path === '' ? name : `${path}.${name}`);
  };
  for (const [name, value] of Object.entries(metadata)) walk(value, name);
  return leaves;
}
