import { countOf, formatBytes, formatCount } from '../../options/figures.ts';
import type { DirectoryPage, NumbersSummary, Preview, TablePage } from '../../views/previews/shown.ts';
import type { Invocation } from '../invocation.ts';
import type { Output } from '../ui/output.ts';
import { cellText, shownLines } from './shown-text.ts';

/** Lines of text, and members, that a terminal shows. */
const MAX_LINES = 40;
const MAX_LINE = 400;
/** The height of a histogram's bins. */
const BARS = '▁▂▃▄▅▆▇█';

/** Prints a preview compactly. */
export async function printPreview({ output, note }: Printing, preview: Preview): Promise<void> {
  const { path, name, entry, type, bytes, mediaType, reference } = preview;
  const what = [
    reference ? (reference.kind ?? type) : type,
    formatBytes(bytes),
    ...(mediaType ? [mediaType] : []),
  ];
  await output.text(`${path}/${name}${entry === undefined ? '' : ` ${entry}`}`, 'bold');
  await output.text(what.join(', '));
  await output.line();
  switch (preview.kind) {
    case 'json':
      return printLines(output, shownLines(preview.value));
    case 'text':
    case 'markdown':
      return printLines(output, preview.text.split(/\r?\n/), preview.isWhole);
    case 'numbers':
      return printNumbers(output, preview.numbers);
    case 'table':
      return printTable({ output, note }, preview.table);
    case 'directory':
      return printDirectory({ output, note }, preview.directory);
    case 'elsewhere':
      return output.text(`It lies outside of the store, and is not asked for there: ${reference?.uri ?? ''}`);
    case 'unshown':
      return output.text(preview.note);
    default:
      return output.text('Bytes: save them with stowage get -o <file>.');
  }
}

/** What printing needs of a command. */
export interface Printing {
  output: Output;
  note: (text: string) => void;
}

async function printLines(output: Output, lines: readonly string[], isWhole = true): Promise<void> {
  for (const line of lines.slice(0, MAX_LINES))
    await output.text(line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)}…` : line);
  const rest = lines.length - MAX_LINES;
  if (rest > 0 || !isWhole)
    await output.line(`… ${rest > 0 && isWhole ? `${countOf(rest, 'line')} more` : 'more'}`);
}

async function printNumbers(output: Output, numbers: NumbersSummary): Promise<void> {
  const { count, dtype, min, max, mean, nans, infinities, histogram } = numbers;
  const { counts, edges } = histogram;
  const most = Math.max(1, ...counts);
  const bars = counts.map((one) => (one === 0 ? ' ' : BARS[Math.ceil((one / most) * BARS.length) - 1]));
  await output.line(`${formatCount(count)} of ${dtype}`);
  if (min !== null) await output.line(`min ${min}, mean ${mean}, max ${max}`);
  if (nans > 0) await output.line(`NaN: ${formatCount(nans)}`);
  if (infinities > 0) await output.line(`infinite: ${formatCount(infinities)}`);
  if (counts.length > 0) await output.line(`${edges[0]} ${bars.join('')} ${edges.at(-1)}`);
}

async function printTable({ output, note }: Printing, table: TablePage): Promise<void> {
  const { columns, rows, offset, total, totalColumns } = table;
  const headers = columns.map(({ name, type }) => (type === undefined ? name : `${name} (${type})`));
  await output.table(
    headers.map((header) => ({ header, shrinks: true })),
    rows.map((row) => row.map(cellText)),
  );
  const wide =
    totalColumns > columns.length ? `, the first ${columns.length} of ${totalColumns} columns` : '';
  note(rangeText(offset, rows.length, total, 'row') + wide);
}

async function printDirectory({ output, note }: Printing, page: DirectoryPage): Promise<void> {
  const columns = [
    { header: 'FILE', shrinks: true },
    { header: 'SIZE', align: 'right' },
  ] as const;
  await output.table(
    columns,
    page.entries.map(({ path, bytes }) => [path, formatBytes(bytes)]),
  );
  note(rangeText(page.offset, page.entries.length, page.total, 'file'));
}

/** `rows 51 to 100 of 1,000,000; others: --offset <number>`. */
function rangeText(offset: number, shown: number, total: number, noun: string): string {
  if (shown === total) return `all of ${countOf(total, noun)}`;
  if (shown === 0) return `no ${noun} from ${formatCount(offset)} on; there are ${formatCount(total)}`;
  const last = formatCount(offset + shown);
  return `${noun}s ${formatCount(offset + 1)} to ${last} of ${formatCount(total)}; others: --offset <number>`;
}

/** What a command gives to print with. */
export function printing(invocation: Invocation): Printing {
  return { output: invocation.output, note: (text) => invocation.note(text) };
}
