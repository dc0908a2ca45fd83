import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SqliteStorage } from '../../src/storage/sqlite.ts';
import { afterThisTest } from '../cleanups.ts';
import { scratchFolder } from '../flow/fixtures.ts';
import { GONE_ATTEMPTS, GONE_LEAVES, indexOfGone, watchRemoved } from './gone-run.ts';
import { recordStatements, rowsIn, scansOf } from './indexes.ts';

describe('what is gone leaves an index in SQLite', () => {
  test.each(['run', 'attempts'] as const)(
    'by sets, which indexes find, and by transactions of about 1,000 rows: %s',
    async (what) => {
      const storage = await SqliteStorage.open(`sqlite:${join(scratchFolder(), 'runs.db')}`);
      afterThisTest(() => storage.close());
      const { database, index } = await indexOfGone(storage, what);
      const removed = await watchRemoved(database);
      const statements = recordStatements(database);
      await index.catchUp();
      const deletes = statements.filter(({ text }) => text.startsWith('delete'));
      expect(removed.reduce((sum, rows) => sum + rows, 0)).toBe(GONE_ATTEMPTS * (1 + GONE_LEAVES));
      expect(Math.max(...removed)).toBeLessThanOrEqual(1000 + GONE_LEAVES);
      expect(deletes.length).toBeLessThan(GONE_ATTEMPTS / 10);
      const caughtUp = await rowsIn(storage);
      await index.rebuild();
      expect(caughtUp).toEqual(await rowsIn(storage));
      expect(await scansOf(database, deletes)).toEqual([]);
    },
    60_000,
  );
});
