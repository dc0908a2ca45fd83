import type { FrameColumn } from './frame-columns.ts';

/** A column's type in short: `list<decimal(10, 2)>`, `timestamp(us)`. */
export function typeText(column: FrameColumn): string {
  switch (column.type) {
    case 'fixed':
      return `fixed(${column.bytes})`;
    case 'decimal':
      return `decimal(${column.precision}, ${column.scale})`;
    case 'time':
    case 'timestamp':
      return `${column.type}(${column.unit}${column.utc ? '' : ', local'})`;
    case 'list':
      return `list<${typeText(column.element)}>`;
    case 'struct':
      return `struct<${column.fields.map((field) => `${field.name}: ${typeText(field)}`).join(', ')}>`;
    case 'map':
      return `map<${typeText(column.key)}, ${typeText(column.value)}>`;
    default:
      return column.type;
  }
}
