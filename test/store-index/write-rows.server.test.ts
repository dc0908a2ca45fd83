import { expect, it } from 'vitest';
import { PostgresStorage } from '../../src/storage/databases.ts';
import { afterThisTest } from '../cleanups.ts';
import { scratchFolder } from '../flow/fixtures.ts';
import { describeOnPostgres } from '../servers/postgres.ts';
import { GONE_ATTEMPTS, GONE_LEAVES, indexOfGone, watchRemoved } from './gone-run.ts';
import { recordStatements, rowsIn } from './indexes.ts';

describeOnPostgres('what is gone leaves an index in PostgreSQL', (server) => {
  it.each(['run', 'attempts'] as const)(
    'by sets, and by transactions of about 1,000 rows: %s',
    async (what) => {
      const storage = await PostgresStorage.open(`${server.address()}/${what}`);
      afterThisTest(() => storage.close());
      const { database, index } = await indexOfGone(storage, what, scratchFolder());
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
    },
  );
});
