import { formatBytes, formatCount } from '../../options/figures.ts';
import type { ShownNode, ShownValue } from '../../views/previews/shown.ts';

/** A value on one line; what was cut is told by `…`, and by how many there are. */
export function shownText(value: ShownValue): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  switch (value.is) {
    case 'object':
      return `${value.type ? `${value.type} ` : ''}{${within(value, value.members.map(memberText))}}`;
    case 'list':
      return `${value.type === 'array' ? '' : `${value.type} `}[${within(value, value.items.map(shownText))}]`;
    case 'map':
      return `Map {${within(
        value,
        value.entries.map(([key, item]) => `${shownText(key)} => ${shownText(item)}`),
      )}}`;
    default:
      return leafText(value);
  }
}

/** A cell of a table: text without quotes, nothing for `null`. */
export function cellText(value: ShownValue): string {
  if (value === null) return '';
  return typeof value === 'string' ? value : shownText(value);
}

/** The members of an object or a map, and the items of a list, a line each; of anything else one line. */
export function shownLines(value: ShownValue): string[] {
  if (value === null || typeof value !== 'object') return [shownText(value)];
  if (value.is === 'object')
    return [...value.members.map(memberText), ...restOf(value, value.members.length)];
  if (value.is === 'list') return [...value.items.map(shownText), ...restOf(value, value.items.length)];
  if (value.is !== 'map') return [shownText(value)];
  const lines = value.entries.map(([key, item]) => `${shownText(key)} => ${shownText(item)}`);
  return [...lines, ...restOf(value, lines.length)];
}

function memberText([name, value]: readonly [string, ShownValue]): string {
  return `${JSON.stringify(name)}: ${shownText(value)}`;
}

function within(node: { total: number }, parts: readonly string[]): string {
  return [...parts, ...restOf(node, parts.length)].join(', ');
}

function restOf({ total }: { total: number }, shown: number): string[] {
  return shown < total ? [`… ${formatCount(total - shown)} more`] : [];
}

function leafText(node: Extract<ShownNode, { is: 'text' | 'bytes' | 'scalar' | 'reference' }>): string {
  switch (node.is) {
    case 'text':
      return `${JSON.stringify(node.text)}… of ${formatCount(node.total)} characters`;
    case 'bytes':
      return `${formatBytes(node.total)} of bytes`;
    case 'scalar':
      return node.text === '' ? node.type : node.text;
    default:
      return `${node.type} ${node.reference.name ?? ''}`;
  }
}
