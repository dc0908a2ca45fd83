import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadSqlite } from '../../src/storage/sql/sqlite/library.ts';
import { scratchFolder } from './scratch.ts';

it('opens a file so that it can only be read, at any path, whatever library there is', async () => {
  const library = await loadSqlite();
  const folder = join(scratchFolder(), 'a b#c?d%20é');
  mkdirSync(folder);
  const path = join(folder, 'runs.db');
  const writer = library.open(path, { readOnly: false });
  writer.exec('create table t (x)');
  const reader = library.open(path, { readOnly: true });
  expect(() => reader.exec('insert into t values (1)')).toThrow('readonly');
  expect(reader.prepare('select * from t').all()).toEqual([]);
  for (const connection of [reader, writer]) connection.close();
  const missing = join(folder, 'missing.db');
  expect(() => library.open(missing, { readOnly: true })).toThrow();
  expect(existsSync(missing)).toBe(false);
});
