import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { SCHEMA_VERSION, TABLE_NAMES, TABLES } from '../../src/store-index/schema.ts';
import { openFlow, saveTask } from '../flow/fixtures.ts';
import { openIndex, select } from './indexes.ts';

const page = readFileSync(new URL('../../docs/index-schema.md', import.meta.url), 'utf8');

/** The columns of each table that the page tells, in their order. */
function documented(): Record<string, string[]> {
  const tables: Record<string, string[]> = {};
  for (const [, name, text] of page.matchAll(/^## `(\w+)`\n([^#]*)/gm)) {
    const rows = [...(text as string).matchAll(/^\| (`.*?) \|/gm)].map(([, cell]) => cell as string);
    tables[name as string] = rows.flatMap((cell) =>
      [...cell.matchAll(/`(\w+)`/g)].map(([, column]) => column as string),
    );
  }
  return tables;
}

/** The columns of each table of an index, as SQLite tells them. */
async function tablesOfIndex(): Promise<{ path: string; tables: Record<string, string[]> }> {
  const storage = new MemoryStorage();
  await saveTask(await openFlow({ storage }), { a: 1 });
  const { index, path } = await openIndex({ store: storage });
  await index.catchUp();
  const tables: Record<string, string[]> = {};
  for (const { name } of await select(
    path,
    "select name from sqlite_master where type in ('table', 'view') and name not like 'sqlite_%'",
  ))
    tables[String(name)] = (await select(path, `select name from pragma_table_info('${name}')`)).map((row) =>
      String(row.name),
    );
  return { path, tables };
}

describe('the tables of an index', () => {
  it('are those that docs/index-schema.md tells, column by column', async () => {
    const { path, tables } = await tablesOfIndex();
    const sorted = (columns: Record<string, string[]>) =>
      Object.fromEntries(
        Object.entries(columns)
          .map(([name, list]) => [name, [...list].sort()])
          .sort(),
      );
    expect(sorted(documented())).toEqual(sorted(tables));
    expect(page).toContain(`of schema version ${SCHEMA_VERSION}`);
    expect(await select(path, 'select schema_version from stowage_index')).toEqual([
      { schema_version: SCHEMA_VERSION },
    ]);
  });

  it('have the kinds that they are declared with', async () => {
    const { path } = await tablesOfIndex();
    const types = { text: 'TEXT', whole: 'INTEGER', number: 'REAL' };
    for (const name of TABLE_NAMES) {
      const rows = await select(path, `select name, upper(type) as type from pragma_table_info('${name}')`);
      const declared = TABLES[name].columns.map((column) => ({
        name: column.name,
        type: types[column.kind],
      }));
      expect(rows.filter((row) => name !== 'attempts' || row.name !== 'id')).toEqual(declared);
    }
  });
});
