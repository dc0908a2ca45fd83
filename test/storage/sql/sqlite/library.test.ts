import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadSqlite } from '../../../../src/storage/sql/sqlite/library.ts';
import { afterThisTest } from '../../../cleanups.ts';
import { scratchFolder } from '../../scratch.ts';

const folder = scratchFolder();

it('gives a row by the order of its columns and by their names, whichever was asked for before', async () => {
  const connection = (await loadSqlite()).open(join(folder, 'a.db'), { readOnly: false });
  afterThisTest(() => void connection.close());
  connection.exec('create table t (z text, a blob)');
  const insert = connection.prepare('insert into t values (?1, ?2), (?1, ?2)');
  expect(insert.run(['1', Buffer.from([1, 2])])).toBe(2);
  const select = connection.prepare('select z as z, length(a) as a, 3 as m from t where z = ?1');
  const [values, row] = [['1', 2, 3], { z: '1', a: 2, m: 3 }];
  expect(select.first(['1'])).toEqual(values);
  expect(select.all(['1']).map((each) => ({ ...(each as object) }))).toEqual([row, row]);
  expect(select.first(['1'])).toEqual(values);
  expect(select.first(['2'])).toBeUndefined();
  expect(select.all(['2'])).toEqual([]);
});
