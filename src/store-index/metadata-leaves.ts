import type { JsonValue } from '../format/json-value.ts';
import { type IndexRow, textOf } from './index-database.ts';

/** The most rows for the metadata of one attempt. */
export const MAX_LEAVES = 1000;
/** The longest path, and the longest text, in UTF-16 units: an index of PostgreSQL holds no more. */
export const MAX_PATH = 200;
export const MAX_TEXT = 400;

/**
 * The leaves of metadata, each by its path: `a.b`, and of arrays `a.0`. Numbers have `number` and their JSON text, texts and `true` or
 * `false` have `text`, and `null` has neither. Of what is beyond the limits the first leaves count, and texts are cut. Where two leaves
 * have one path, the first counts.
 */
export function leavesOf(metadata: Readonly<Record<string, JsonValue>>): IndexRow[] {
  const rows = new Map<string, IndexRow>();
  const pending: { path: string; value: JsonValue }[] = membersOf('', metadata);
  while (pending.length > 0 && rows.size < MAX_LEAVES) {
    const { path, value } = pending.pop() as { path: string; value: JsonValue };
    if (path.length > MAX_PATH) continue; // nor is anything below it short enough
    if (typeof value === 'object' && value !== null) {
      for (const member of membersOf(path, value)) pending.push(member);
    } else if (!rows.has(path)) rows.set(path, { path, ...columnsOf(value) });
  }
  return [...rows.values()];
}

/** The members, last first, as many as may count. */
function membersOf(path: string, value: object): { path: string; value: JsonValue }[] {
  const members: { path: string; value: JsonValue }[] = [];
  for (const name in value) {
    if (members.length === MAX_LEAVES) break;
    const inner = (value as Record<string, JsonValue>)[name] as JsonValue;
    members.push({ path: textOf(path === '' ? name : `${path}.${name}`), value: inner });
  }
  return members.reverse();
}

function columnsOf(value: JsonValue): { number?: number; text?: string | undefined } {
  if (value === null) return {};
  if (typeof value === 'number') return { number: value, text: JSON.stringify(value) };
  return { text: textOf(String(value).slice(0, MAX_TEXT)) };
}
