import type { JsonValue } from '../../../format/json-value.ts';
import { countOf, formatBytes, formatCount } from '../../../options/figures.ts';
import type { ShownNode, ShownValue } from '../../../views/previews/shown.ts';

/** A line of a value as it is drawn: a scalar, or the head of what can be opened. */
export interface ValueRow {
  /** The keys that lead to it, as a JSON pointer (RFC 6901); empty of the value itself. */
  pointer: string;
  depth: number;
  /** The key or index; absent of the value itself. */
  label?: string;
  /** `more` stands for children that are not drawn yet, `cut` for what was left out of the answer. */
  kind: 'parent' | 'text' | 'number' | 'word' | 'more' | 'cut';
  /** A scalar; of an object or list its kind and count. */
  text: string;
  /** The class or kind, of what is no plain JSON. */
  type?: string;
  /** Absent of what cannot be opened. */
  isOpen?: boolean;
  /** The place among its siblings, from 1 on, and their number. */
  position: number;
  siblings: number;
}

/** The number of children that are drawn of each value that is open, by its pointer. */
export type OpenValues = ReadonlyMap<string, number>;

/** So many children are drawn at first, and so many more each time. */
export const CHILDREN_AT_ONCE = 100;
/** Text that is longer is cut, until it is opened. */
const MAX_TEXT = 240;
/** What is opened at first comes to no more lines than this. */
const FIRST_ROWS = 30;

/** Plain JSON, as a value that is shown. */
export function shownJson(value: JsonValue): ShownValue {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value))
    return { is: 'list', type: 'Array', total: value.length, items: value.map((item) => shownJson(item)) };
  const members = Object.entries(value).map(([name, member]): [string, ShownValue] => [
    name,
    shownJson(member as JsonValue),
  ]);
  return { is: 'object', total: members.length, members };
}

/** The lines of a value. Only what is open is walked. */
export function valueRows(value: ShownValue, open: OpenValues): ValueRow[] {
  const rows: ValueRow[] = [];
  const add = ({ value, ...place }: Placed, depth: number): void => {
    const children = childrenOf(value);
    const shown = open.get(place.pointer);
    const row: ValueRow = { ...place, depth, ...looksOf(value, shown !== undefined) };
    if ((children?.labels.length ?? 0) > 0 || isLong(value)) row.isOpen = shown !== undefined;
    rows.push(row);
    if (!children || shown === undefined) return;
    const siblings = children.total;
    const end = Math.min(shown, children.labels.length);
    for (let index = 0; index < end; index++) {
      const label = children.labels[index] as string;
      const pointer = pointerTo(place.pointer, label, index, children.isMap);
      const child = { value: children.values[index] as ShownValue, pointer, label };
      add({ ...child, position: index + 1, siblings }, depth + 1);
    }
    const rest = { depth: depth + 1, position: end + 1, siblings, pointer: `${place.pointer}/` };
    const waiting = children.labels.length - end;
    const cut = children.total - children.labels.length;
    if (waiting > 0) rows.push({ ...rest, kind: 'more', text: `${formatCount(waiting)} more` });
    else if (cut > 0)
      rows.push({ ...rest, kind: 'cut', text: `${formatCount(cut)} more, left out of the preview` });
  };
  add({ value, pointer: '', position: 1, siblings: 1 }, 0);
  return rows;
}

/** What is open at first: the value, and what is in it, level by level, as far as a few lines go. */
export function openAtFirst(value: ShownValue): OpenValues {
  const open = new Map<string, number>();
  let rows = 1;
  let level: { value: ShownValue; pointer: string }[] = [{ value, pointer: '' }];
  while (level.length > 0 && rows <= FIRST_ROWS) {
    const next: typeof level = [];
    for (const one of level) {
      const children = childrenOf(one.value);
      if (!children || children.labels.length === 0) continue;
      const drawn = Math.min(children.labels.length, CHILDREN_AT_ONCE);
      if (one.pointer !== '' && rows + drawn > FIRST_ROWS) continue;
      open.set(one.pointer, CHILDREN_AT_ONCE);
      rows += drawn;
      for (let index = 0; index < drawn; index++) {
        const pointer = pointerTo(one.pointer, children.labels[index] as string, index, children.isMap);
        next.push({ value: children.values[index] as ShownValue, pointer });
      }
    }
    level = next;
  }
  return open;
}

/** `open` with a line opened or closed, or with more of its siblings. */
export function toggled(open: OpenValues, { pointer, kind, isOpen }: ValueRow): OpenValues {
  const next = new Map(open);
  if (kind === 'more') {
    const parent = pointer.slice(0, -1);
    next.set(parent, (next.get(parent) ?? 0) + CHILDREN_AT_ONCE);
  } else if (isOpen === true) next.delete(pointer);
  else if (isOpen === false) next.set(pointer, CHILDREN_AT_ONCE);
  return next;
}

/** The line that holds the one at `index`; -1 of the first. */
export function parentIndex(rows: readonly ValueRow[], index: number): number {
  const depth = rows[index]?.depth ?? 0;
  return rows.findLastIndex((row, at) => at < index && row.depth < depth);
}

/** A value as one line, as a cell of a table has it. */
export function lineOf(value: ShownValue): string {
  return looksOf(value, false).text;
}

interface Placed {
  value: ShownValue;
  pointer: string;
  label?: string;
  position: number;
  siblings: number;
}

interface Children {
  labels: readonly string[];
  values: readonly ShownValue[];
  total: number;
  /** Its keys may be anything, and look alike. */
  isMap: boolean;
}

/** Keys of a `Map` may look alike, so that its children are told by their places. An empty key is not the line of what is more. */
function pointerTo(parent: string, label: string, index: number, isMap: boolean): string {
  if (isMap) return `${parent}/${index}`;
  const escaped = label.replaceAll('~', '~0').replaceAll('/', '~1');
  return `${parent}/${escaped === '' ? '~2' : escaped}`;
}

function childrenOf(value: ShownValue): Children | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  switch (value.is) {
    case 'object':
      return listed(value.members, value.total);
    case 'list':
      return {
        labels: value.items.map((_, index) => String(index)),
        values: value.items,
        total: value.total,
        isMap: false,
      };
    case 'map':
      return {
        labels: value.entries.map(([key]) => lineOf(key)),
        values: value.entries.map(([, item]) => item),
        total: value.total,
        isMap: true,
      };
    case 'reference': {
      const facts = shownJson(value.reference as unknown as JsonValue) as ShownNode;
      return childrenOf(facts);
    }
    default:
      return undefined;
  }
}

function listed(members: readonly (readonly [string, ShownValue])[], total: number): Children {
  const [labels, values] = [members.map(([name]) => name), members.map(([, member]) => member)];
  return { labels, values, total, isMap: false };
}

function isLong(value: ShownValue): boolean {
  return textIn(value).length > MAX_TEXT;
}

function textIn(value: ShownValue): string {
  if (typeof value === 'string') return value;
  return typeof value === 'object' && value?.is === 'text' ? value.text : '';
}

function looksOf(value: ShownValue, isOpen: boolean): Pick<ValueRow, 'kind' | 'text' | 'type'> {
  if (typeof value === 'string') return { kind: 'text', text: quoted(value, value.length, isOpen) };
  if (typeof value === 'number') return { kind: 'number', text: String(value) };
  if (typeof value !== 'object' || value === null) return { kind: 'word', text: String(value) };
  switch (value.is) {
    case 'object': {
      const text = value.total === 0 ? '{}' : `{${countOf(value.total, 'member')}}`;
      return { kind: 'parent', text, ...(value.type === undefined ? {} : { type: value.type }) };
    }
    case 'list': {
      const text = value.total === 0 ? '[]' : `[${countOf(value.total, 'item')}]`;
      return { kind: 'parent', text, ...(/^array$/i.test(value.type) ? {} : { type: value.type }) };
    }
    case 'map':
      return {
        kind: 'parent',
        text: value.total === 0 ? '{}' : `{${formatCount(value.total)} entries}`,
        type: 'Map',
      };
    case 'text':
      return { kind: 'text', text: quoted(value.text, value.total, isOpen) };
    case 'bytes':
      return { kind: 'word', text: `${formatBytes(value.total)}: ${hexOf(value.base64)}`, type: 'bytes' };
    case 'scalar':
      return { kind: 'word', text: value.text, ...(value.type === value.text ? {} : { type: value.type }) };
    case 'reference':
      return { kind: 'parent', text: value.reference.name ?? value.reference.uri ?? '', type: value.type };
  }
}

/** Text as JSON writes it, cut unless it is open, with its whole length where something is not shown. */
function quoted(text: string, total: number, isOpen: boolean): string {
  const shown = isOpen ? text : text.slice(0, MAX_TEXT).replace(/[\ud800-\udbff]$/, '');
  if (shown.length === total) return JSON.stringify(shown);
  return `${JSON.stringify(shown).slice(0, -1)}… (${countOf(total, 'character')})`;
}

const HEX_BYTES = 16;

function hexOf(base64: string): string {
  const bytes = atob(base64.slice(0, 24)).slice(0, HEX_BYTES);
  return [...bytes].map((byte) => byte.charCodeAt(0).toString(16).padStart(2, '0')).join(' ');
}
