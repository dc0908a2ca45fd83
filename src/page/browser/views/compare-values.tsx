import type { JSX } from 'preact';
import { countOf, formatBytes, formatCount } from '../../../options/figures.ts';
import { Scrolls } from '../parts/scrolls.tsx';
import type { Change, Changes, How, TableHow, TextHow } from './compare-answer.ts';

/** A change that is longer as text has a place of its own. */
const SHORT_TEXT = 80;

/** How two values differ, in words. */
export function summaryOf(how: How): string {
  switch (how.kind) {
    case 'table':
      return tableSummary(how);
    case 'numbers': {
      const most = how.maxDifference === undefined ? '' : `, by ${shortNumber(how.maxDifference)} at most`;
      const sizes = how.a === how.b ? formatCount(how.b) : `${formatCount(how.a)} → ${formatCount(how.b)}`;
      return how.differ === undefined
        ? `${sizes} elements`
        : `${formatCount(how.differ)} of ${sizes} elements differ${most}`;
    }
    case 'text': {
      const { a, b, added, removed, common = 0 } = how;
      return added === undefined || removed === undefined
        ? `${formatCount(a)} → ${formatCount(b)} lines, ${formatCount(common)} in both; too different to align`
        : `lines: ${formatCount(added)} added, ${formatCount(removed)} removed`;
    }
    case 'bytes':
      return how.a === how.b
        ? `${formatCount(how.differ)} of ${formatCount(how.b)} bytes differ`
        : `${formatBytes(how.a)} → ${formatBytes(how.b)}`;
    case 'parts':
      return (
        shortChange(how) ?? (how.total === 0 ? 'equal values, in other bytes' : countOf(how.total, 'change'))
      );
    case 'unread':
      return how.reason;
  }
}

/** True if there is more to show than {@link summaryOf} says. */
export function hasDetails(how: How): boolean {
  if (how.kind === 'text') return how.hunks.length > 0;
  if (how.kind === 'table' && how.sideBySide) return how.sideBySide.rows.length > 0;
  return 'changes' in how && how.changes.length > 0 && shortChange(how) === undefined;
}

/** What differs between two values: rows and cells of tables, lines of texts, and else parts by their paths. */
export function Details({ name, how }: { name: string; how: How }): JSX.Element | null {
  if (how.kind === 'text') return <Hunks {...how} />;
  if (how.kind === 'table' && how.sideBySide) return <Rows name={name} how={how} />;
  return 'changes' in how ? <ChangeTable label={`changes of ${name}`} {...how} /> : null;
}

/** The parts of a value that changed, by their paths. */
export function ChangeTable({ label, total, changes }: Changes & { label: string }): JSX.Element {
  return (
    <>
      <Scrolls label={label}>
        <table class="sides">
          <thead>
            <tr>
              <th scope="col">Where</th>
              <th scope="col">From</th>
              <th scope="col">To</th>
            </tr>
          </thead>
          <tbody>
            {changes.map((change, index) => (
              <tr key={`${index} ${change.path}`}>
                <th scope="row">{change.path || 'the value itself'}</th>
                <Was text={sideOf(change, 'a')} />
                <Is text={sideOf(change, 'b')} note={change.note} />
              </tr>
            ))}
          </tbody>
        </table>
      </Scrolls>
      {total > changes.length && <p class="quiet">{countOf(total - changes.length, 'more change')}.</p>}
    </>
  );
}

/** Rows that differ, with the cells of both sides beside each other where they are not the same. */
function Rows({ name, how }: { name: string; how: TableHow }): JSX.Element | null {
  const { sideBySide, key, columns: differing, added = 0, removed = 0, changed = 0 } = how;
  if (!sideBySide) return null;
  const { columns, moreColumns = 0, rows } = sideBySide;
  const first = key === undefined ? 0 : 1;
  const shown = columns.slice(first);
  const about = new Map(differing.map((column) => [column.name, column]));
  return (
    <>
      <Scrolls label={`rows of ${name} that differ`}>
        <table class="sides">
          <thead>
            <tr>
              <th scope="col" rowSpan={2}>
                {key ?? 'Row'}
              </th>
              {shown.map((column) => (
                <th key={column} scope="colgroup" colSpan={2} class="of">
                  {column} <DifferText {...about.get(column)} />
                </th>
              ))}
            </tr>
            <tr>
              {shown.flatMap((column) => [
                <th key={`from ${column}`} scope="col" class="of">
                  From
                </th>,
                <th key={`to ${column}`} scope="col">
                  To
                </th>,
              ])}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ change, a, b, cells }) => (
              <tr key={`${a} ${b}`} class={change}>
                <th scope="row">
                  <span class={change}>{SIGNS[change]}</span> {first === 1 ? cells[0]?.[0] : numberText(a, b)}
                </th>
                {cells.slice(first).flatMap((cell, index) => cellsOf(shown[index] ?? '', cell, change))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scrolls>
      <More count={added + removed + changed - rows.length} noun="row" />
      <More count={moreColumns} noun="column" />
    </>
  );
}

const SIGNS = { added: '+', removed: '−', changed: '' } as const;

/** The two cells of a column; one over both, where they are the same. */
function cellsOf(column: string, [a, b]: readonly string[], change: Change['change']): JSX.Element[] {
  if (change === 'added') return [<td key={`from ${column}`} class="of" />, <Is key={column} text={a} />];
  if (change === 'removed')
    return [<Was key={`from ${column}`} text={a} isFirst={true} />, <td key={column} />];
  if (b === undefined)
    return [
      <td key={column} colSpan={2} class="of quiet">
        {a}
      </td>,
    ];
  return [<Was key={`from ${column}`} text={a} isFirst={true} />, <Is key={column} text={b} />];
}

function Was({ text, isFirst = false }: { text: string | undefined; isFirst?: boolean }): JSX.Element {
  return <td class={isFirst ? 'was of' : 'was'}>{text !== undefined && <del>{text}</del>}</td>;
}

function Is({ text, note }: { text: string | undefined; note?: string | undefined }): JSX.Element {
  return (
    <td class="is">
      {text !== undefined && <ins>{text}</ins>} {note && <span class="quiet">{note}</span>}
    </td>
  );
}

function DifferText({ differ, maxDifference }: { differ?: number; maxDifference?: number }): JSX.Element {
  const most = maxDifference === undefined ? '' : `, by ${shortNumber(maxDifference)} at most`;
  return <span class="quiet">{differ === undefined ? '' : `${formatCount(differ)} differ${most}`}</span>;
}

/** Lines that were added and removed, with those around them. */
function Hunks({ hunks, added = 0, removed = 0 }: TextHow): JSX.Element {
  const changed = hunks.flatMap(({ lines }) => lines).filter((line) => /^[+-]/.test(line)).length;
  return (
    <>
      <pre class="hunks">
        {hunks.map(({ a, b, lines }) => (
          <span key={`${a} ${b}`}>
            <span class="line quiet">{`@@ -${a} +${b} @@\n`}</span>
            {lines.map((line, index) => {
              const text = `${line}\n`;
              if (line.startsWith('+'))
                return (
                  <ins key={index} class="line">
                    {text}
                  </ins>
                );
              if (line.startsWith('-'))
                return (
                  <del key={index} class="line">
                    {text}
                  </del>
                );
              return (
                <span key={index} class="line">
                  {text}
                </span>
              );
            })}
          </span>
        ))}
      </pre>
      <More count={added + removed - changed} noun="line" />
    </>
  );
}

/** `5 more rows differ.` */
function More({ count, noun }: { count: number; noun: string }): JSX.Element | null {
  if (count <= 0) return null;
  return <p class="quiet">{`${countOf(count, `more ${noun}`)} ${count === 1 ? 'differs' : 'differ'}.`}</p>;
}

function tableSummary(how: TableHow): string {
  const { a, b, added = 0, removed = 0, changed = 0, common, columnsAdded, columnsRemoved } = how;
  const counts = [
    ...(common === undefined ? [] : [`${formatCount(common)} in both; too different to match`]),
    ...(removed > 0 ? [`${formatCount(removed)} removed`] : []),
    ...(added > 0 ? [`${formatCount(added)} added`] : []),
    ...(changed > 0 ? [`${formatCount(changed)} changed`] : []),
    ...(how.reordered ? ['in another order'] : []),
    ...(columnsRemoved.length > 0 ? [`without ${namesText(columnsRemoved)}`] : []),
    ...(columnsAdded.length > 0 ? [`with ${namesText(columnsAdded)}`] : []),
    ...how.retyped.slice(0, NAMES_TOLD).map(({ name, a, b }) => `${name} is ${b}, and was ${a}`),
  ];
  const rows = a === b ? formatCount(b) : `${formatCount(a)} → ${formatCount(b)}`;
  return `${rows} rows: ${counts.length === 0 ? 'equal' : counts.join(', ')}`;
}

const NAMES_TOLD = 4;

function namesText(names: readonly string[]): string {
  const more = names.length - NAMES_TOLD;
  return names.slice(0, NAMES_TOLD).join(', ') + (more > 0 ? ` and ${formatCount(more)} more` : '');
}

/** The only change of a value, where it is short: `auc: 0.91 → 0.93`. */
function shortChange({ total, changes }: Changes): string | undefined {
  const [only] = changes;
  if (total !== 1 || !only || only.note !== undefined) return undefined;
  const [a, b] = [sideOf(only, 'a'), sideOf(only, 'b')];
  const where = only.path === '' ? '' : `${only.path}: `;
  const text = where + [a ?? 'nothing', b ?? 'nothing'].join(' → ');
  return text.length > SHORT_TEXT ? undefined : text;
}

function sideOf(change: Change, side: 'a' | 'b'): string | undefined {
  return change[`${side}Text`] ?? (side in change ? JSON.stringify(change[side]) : undefined);
}

/** `4`, or `4 → 6` where a row has another number, from 0 on. */
function numberText(a: number | undefined, b: number | undefined): string {
  if (a === undefined || b === undefined || a === b) return formatCount(b ?? a ?? 0);
  return `${formatCount(a)} → ${formatCount(b)}`;
}

/** Three digits that count. */
function shortNumber(number: number): string {
  return String(Number(number.toPrecision(3)));
}
