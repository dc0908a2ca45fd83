import type { Tabular } from '../../views/values/tabular-value.ts';
import { isPlainObject } from '../../views/values/value-kind.ts';
import { CliError } from '../cli-error.ts';
import { cellText } from '../values/csv.ts';
import type { TaskResult } from './read-results.ts';
import { Spool } from './spool.ts';

/** The columns of a table that are no artifacts. */
const OWN = ['task', 'label', 'status'] as const;
/** Objects with as many different members are no columns. */
const MAX_COLUMNS = 5_000;

/** A column: the artifact, and the members of objects in it that lead to the cell. */
type ColumnPath = readonly [artifact: string, ...members: string[]];
/** A task, with its cells by the numbers of their columns; absent ones are left out. */
interface SpooledRow {
  task: string;
  label: string | undefined;
  status: string;
  cells: Cells;
}
type Cells = [column: number, text: string][];

/**
 * A table of the artifacts of many tasks, a row for each. A plain object has a column for each of its members, however deep:
 * `output.score`. All columns are known only behind the last task, so that rows wait in a spool.
 */
export class ResultTable {
  readonly #names: readonly string[];
  readonly #hasStatus: boolean;
  readonly #spool = new Spool<SpooledRow>();
  readonly #columns = new Map<string, number>();
  readonly #paths: ColumnPath[] = [];
  readonly #artifacts: Set<string>;
  #hasLabels = false;
  rowCount = 0;

  /** @param names the artifacts that were named, whose columns come in that order; without any in the order in which they appear */
  constructor(names: readonly string[], options: { hasStatus: boolean }) {
    this.#names = names;
    this.#hasStatus = options.hasStatus;
    this.#artifacts = new Set(names);
  }

  /** @throws CliError `NO_SUCH_FORM` where there are too many columns, `OUTPUT_FAILED` */
  add({ task, label, status, values }: TaskResult): void {
    const cells: Cells = [];
    for (const [artifact, value] of values) {
      this.#artifacts.add(artifact);
      this.#addCells([artifact], value, cells);
    }
    this.#hasLabels ||= label !== undefined;
    this.#spool.add({ task, label, status, cells });
    this.rowCount += 1;
  }

  /** The table; `task` comes first, then the labels where any task has one, and the status where tasks of any are wanted. */
  tabular(): Tabular {
    // An artifact that nobody has, or that is always absent, has a column of its own name.
    const known = new Set(this.#paths.map(([artifact]) => artifact));
    for (const artifact of this.#artifacts) if (!known.has(artifact)) this.#columnOf([artifact]);
    const ranks = new Map([...this.#artifacts].map((artifact, rank) => [artifact, rank]));
    const columns = this.#paths
      .map((path, index) => ({ path, index, rank: ranks.get(path[0]) as number }))
      .sort((a, b) => a.rank - b.rank || a.index - b.index);
    const places = new Map(columns.map(({ index }, place) => [index, place]));
    const own = OWN.filter(
      (name) => name === 'task' || (name === 'label' ? this.#hasLabels : this.#hasStatus),
    );
    const spool = this.#spool;
    return {
      header: [
        ...own,
        ...headersOf(
          columns.map(({ path }) => path),
          own,
        ),
      ],
      rowCount: this.rowCount,
      *rows() {
        for (const spooled of spool.values()) {
          const row = new Array<string | undefined>(own.length + columns.length).fill(undefined);
          for (const [place, name] of own.entries()) row[place] = spooled[name];
          for (const [column, text] of spooled.cells) row[own.length + (places.get(column) as number)] = text;
          yield row;
        }
      },
    };
  }

  close(): void {
    this.#spool.close();
  }

  #addCells(path: ColumnPath, value: unknown, cells: Cells): void {
    const members = isPlainObject(value) ? Object.entries(value) : [];
    for (const [name, member] of members) this.#addCells([...path, name], member, cells);
    if (members.length > 0) return;
    const text = cellText(value);
    if (text !== undefined) cells.push([this.#columnOf(path), text]);
  }

  #columnOf(path: ColumnPath): number {
    const id = JSON.stringify(path);
    const known = this.#columns.get(id);
    if (known !== undefined) return known;
    if (this.#paths.length >= MAX_COLUMNS) throw this.#tooMany();
    this.#columns.set(id, this.#paths.length);
    return this.#paths.push(path) - 1;
  }

  #tooMany(): CliError {
    const named = this.#names.length > 0 ? 'Name other artifacts' : 'Name the artifacts to write';
    return new CliError(
      'NO_SUCH_FORM',
      `The objects in the artifacts have more than ${MAX_COLUMNS} different members, too many for the columns of a table. ${named}, or write all as --format json.`,
      { details: { format: 'csv', forms: ['json'], columns: MAX_COLUMNS } },
    );
  }
}

/** `output.score`; where that is the text of two columns, or one of the table's own: `"output"."score"`. */
function headersOf(paths: readonly ColumnPath[], own: readonly string[]): string[] {
  const counts = new Map(own.map((name) => [name, 1]));
  const texts = paths.map((path) => path.join('.'));
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return paths.map((path, index) => {
    const text = texts[index] as string;
    return counts.get(text) === 1 ? text : path.map((part) => JSON.stringify(part)).join('.');
  });
}
