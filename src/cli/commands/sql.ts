import { formatCount } from '../../options/figures.ts';
import { usageError } from '../cli-error.ts';
import type { CommandDeclaration } from '../declaration.ts';
import type { Invocation } from '../invocation.ts';
import { INDEX_OPTIONS, type IndexOptions, withAskedIndex } from '../questions/asked-index.ts';
import { parseLimit } from '../ui/sizes.ts';

interface SqlOptions extends IndexOptions {
  limit: string;
  format?: 'csv';
}

/** `stowage sql <select>` */
export const sql: CommandDeclaration = {
  name: 'sql',
  text: "answer a statement in SQL on the index's tables, which it cannot change",
  arguments: [
    { form: '<select>', text: 'one statement that reads, in quotes: "select flow, run, status from runs"' },
  ],
  options: [
    { flags: '-n, --limit <count>', text: 'how many rows at most; "all" for no limit', default: '1000' },
    { flags: '--format <form>', text: 'csv in place of a table', choices: ['csv'] },
    ...INDEX_OPTIONS,
  ],
  async run(invocation: Invocation, [statement]: [string], options: SqlOptions) {
    const limit = parseLimit(options.limit);
    const { signal, json } = invocation;
    if (json && options.format !== undefined)
      throw usageError('--json and --format csv are two forms; give one of them.');
    const { LimitedRows, writeCsvRows, writeJsonRows, writeTables } = await import(
      '../questions/query-output.ts'
    );
    await withAskedIndex(invocation, options, async ({ index, caughtUpAt }) => {
      // One more than is shown, which tells that there are more.
      const most = Number.isFinite(limit) ? limit + 1 : Number.MAX_SAFE_INTEGER;
      const rows = new LimitedRows(index.query(statement, { limit: most, signal }), limit);
      if (options.format === 'csv') await writeCsvRows(invocation, rows);
      else if (json) await writeJsonRows(invocation, rows, caughtUpAt);
      else await writeTables(invocation, rows);
      if (rows.count === 0) invocation.note('there is no such row.');
      if (rows.isCut)
        invocation.note(`there are more than ${formatCount(limit)} rows; all of them: --limit all`);
    });
  },
};
