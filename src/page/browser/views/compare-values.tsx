import type { JSX } from 'preact';
import { countOf, formatCount } from '../../../options/figures.ts';
import type { ChangeJson, ChangesJson, HowJson, TextDiff } from '../../../views/comparison-json.ts';
import { Scrolls } from '../parts/scrolls.tsx';

/** A change that is longer as text has a place of its own. */
const SHORT_TEXT = 80;

/** How two values differ, in the words of the command; the changes of parts, unless a short one is all, are told by a table alone. */
export function summaryOf(how: HowJson): string | undefined {
  if (how.kind !== 'parts' || how.total === 0) return how.text;
  return shortChange(how) ?? countOf(how.total, 'change');
}

/** True if there is more to show than {@link summaryOf} says. */
export function hasDetails(how: HowJson): boolean {
  if (how.kind === 'text') return how.hunks.length > 0;
  if (how.kind === 'table' && how.sideBySide) return how.sideBySide.rows.length > 0;
  return 'changes' in how && how.changes.length > 0 && shortChange(how) === undefined;
}

/** What differs between two values: rows and cells of tables, lines of texts, and else parts by their paths. */
export function Details({ name, how }: { name: string; how: HowJson }): JSX.Element | null {
  if (how.kind === 'text') return <Hunks {...how} />;
  if (how.kind === 'table' && how.sideBySide) return <Rows name={name} how={how} />;
  return 'changes' in how ? <ChangeTable label={`changes of ${name}`} {...how} /> : null;
}

/** The parts of a value that changed, by their paths. */
export function ChangeTable({ label, total, changes }: ChangesJson & { label: string }): JSX.Element {
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
function Rows({ name, how }: { name: string; how: Extract<HowJson, { kind: 'table' }> }): JSX.Element | null {
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
function cellsOf(column: string, [a, b]: readonly string[], change: ChangeJson['change']): JSX.Element[] {
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
  return <td class={isFirst ? 'of' : undefined}>{text !== undefined && <del>{text}</del>}</td>;
}

function Is({ text, note }: { text: string | undefined; note?: string | undefined }): JSX.Element {
  return (
    <td>
      {text !== undefined && <ins>{text}</ins>} {note && <span class="quiet">{note}</span>}
    </td>
  );
}

function DifferText({ differ, maxDifference }: { differ?: number; maxDifference?: number }): JSX.Element {
  const most = maxDifference === undefined ? '' : `, by ${shortNumber(maxDifference)} at most`;
  return <span class="quiet">{differ === undefined ? '' : `${formatCount(differ)} differ${most}`}</span>;
}

/** Lines that were added and removed, with those around them. */
function Hunks({ hunks, added = 0, removed = 0 }: TextDiff): JSX.Element {
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

/** The only change of a value, where it is short: `auc: 0.91 → 0.93`, `+ seed: 1`. */
function shortChange({ total, changes }: ChangesJson): string | undefined {
  const [only] = changes;
  if (total !== 1 || !only || only.note !== undefined) return undefined;
  const sides = [sideOf(only, 'a'), sideOf(only, 'b')].filter((side) => side !== undefined);
  const where = only.path === '' ? '' : `${only.path}: `;
  const text = [SIGNS[only.change], where + sides.join(' → ')].join(' ').trim();
  return text.length > SHORT_TEXT ? undefined : text;
}

function sideOf(change: ChangeJson, side: 'a' | 'b'): string | undefined {
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
