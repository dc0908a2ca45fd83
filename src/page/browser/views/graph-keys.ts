import { COLUMN_PITCH, type Placed } from './graph-layout.ts';

/** What an arrow, Home or End leads to from a part of the graph; `undefined` of other keys, and where nothing lies that way. */
export function placedAfterKey(parts: readonly Placed[], id: string, key: string): string | undefined {
  const columns = new Map<number, Placed[]>();
  for (const part of parts) {
    const column = Math.floor(part.x / COLUMN_PITCH);
    columns.set(column, [...(columns.get(column) ?? []), part]);
  }
  const sorted = [...columns].sort(([a], [b]) => a - b).map(([, column]) => column.sort((a, b) => a.y - b.y));
  const at = sorted.findIndex((column) => column.some((part) => part.id === id));
  const row = sorted[at]?.findIndex((part) => part.id === id) ?? -1;
  const from = sorted[at]?.[row];
  if (!from) return undefined;
  switch (key) {
    case 'ArrowDown':
      return sorted[at]?.[row + 1]?.id;
    case 'ArrowUp':
      return sorted[at]?.[row - 1]?.id;
    case 'ArrowRight':
      return nearest(sorted[at + 1], from)?.id;
    case 'ArrowLeft':
      return nearest(sorted[at - 1], from)?.id;
    case 'Home':
      return sorted[0]?.[0]?.id;
    case 'End':
      return sorted.at(-1)?.at(-1)?.id;
    default:
      return undefined;
  }
}

function nearest(column: readonly Placed[] | undefined, from: Placed): Placed | undefined {
  const middle = from.y + from.height / 2;
  const far = ({ y, height }: Placed): number => Math.abs(y + height / 2 - middle);
  return column?.reduce((best, part) => (far(part) < far(best) ? part : best));
}
