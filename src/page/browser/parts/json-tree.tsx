import type { JSX, TargetedKeyboardEvent } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { ShownValue } from '../../../views/previews/shown.ts';
import { openAtFirst, parentIndex, toggled, type ValueRow, valueRows } from './value-rows.ts';

/** Deeper lines are indented no further, and tell their depth. */
const MAX_INDENT = 10;

/** A value as a tree: folded, drawn as far as it is open, walked by the arrow keys. */
export function JsonTree({ value, label }: { value: ShownValue; label: string }): JSX.Element {
  const [open, setOpen] = useState(() => openAtFirst(value));
  const [active, setActive] = useState('');
  const rows = useMemo(() => valueRows(value, open), [value, open]);
  const tree = useRef<HTMLDivElement>(null);
  const hasKeys = useRef(false);
  const found = rows.findIndex(({ pointer }) => pointer === active);
  const index = Math.max(0, found);

  useEffect(() => {
    if (!hasKeys.current) return;
    const line = tree.current?.children[index] as HTMLElement | undefined;
    line?.focus();
  }, [index, rows]);

  const move = (to: number): void => {
    hasKeys.current = true;
    setActive(rows[Math.min(Math.max(to, 0), rows.length - 1)]?.pointer ?? '');
  };
  const toggle = (row: ValueRow): void => setOpen((before) => toggled(before, row));

  const keyed = (event: TargetedKeyboardEvent<HTMLDivElement>): void => {
    const row = rows[index] as ValueRow;
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === 'ArrowDown') move(index + 1);
    else if (event.key === 'ArrowUp') move(index - 1);
    else if (event.key === 'Home') move(0);
    else if (event.key === 'End') move(rows.length - 1);
    else if (event.key === 'ArrowRight' && row.isOpen === false) toggle(row);
    else if (event.key === 'ArrowRight' && row.isOpen && row.kind === 'parent') move(index + 1);
    else if (event.key === 'ArrowLeft' && row.isOpen) toggle(row);
    else if (event.key === 'ArrowLeft') move(parentIndex(rows, index));
    else if (event.key === 'Enter' || event.key === ' ') toggle(row);
    else return;
    event.preventDefault();
  };

  return (
    <div
      class="json-tree"
      role="tree"
      aria-label={label}
      ref={tree}
      onKeyDown={keyed}
      onBlur={() => {
        hasKeys.current = false;
      }}
    >
      {rows.map((row, at) => (
        <div
          key={row.pointer}
          role="treeitem"
          class={`json-row is-${row.kind}`}
          style={{ '--indent': Math.min(row.depth, MAX_INDENT) }}
          tabIndex={at === index ? 0 : -1}
          aria-level={row.depth + 1}
          aria-posinset={row.position}
          aria-setsize={row.siblings}
          aria-expanded={row.isOpen}
          onClick={() => {
            setActive(row.pointer);
            toggle(row);
          }}
          onFocus={() => setActive(row.pointer)}
          onKeyDown={undefined}
        >
          <span class="fold" aria-hidden="true">
            {row.isOpen === undefined ? '' : row.isOpen ? '▾' : '▸'}
          </span>
          {row.depth > MAX_INDENT && <span class="quiet">{row.depth}· </span>}
          {row.label !== undefined && <span class="key">{row.label}: </span>}
          {row.type !== undefined && <span class="quiet">{row.type} </span>}
          <span class="value">{row.text}</span>
        </div>
      ))}
    </div>
  );
}
