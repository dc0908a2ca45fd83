import { expect, it } from 'vitest';
import { PostgresStorage } from '../../src/storage/databases.ts';
import { afterThisTest } from '../cleanups.ts';
import { scratchFolder } from '../flow/fixtures.ts';
import { describeOnPostgres } from '../servers/postgres.ts';
import { allOf } from './asked-store.ts';
import { HUB, HUB_KEY, HUB_LINKS, indexOfHub, JOIN } from './hub.ts';

describeOnPostgres('the lineage of what has very many links, in PostgreSQL', ({ address }) => {
  it('tells each link once', async () => {
    const storage = await PostgresStorage.open(`${address()}/hub`);
    afterThisTest(() => storage.close());
    const { index } = await indexOfHub(storage, scratchFolder());
    for (const [of, options, from] of [
      [HUB, { down: 1 }, HUB],
      [JOIN, { up: 1 }, JOIN],
      [HUB_KEY.slice(0, 8), { up: 0 }, undefined],
    ] as const) {
      const links = await allOf(index.lineage(of, options));
      const told = links.flatMap((link) => (link.pathspec.includes('/use/') ? [link] : []));
      expect(new Set(told.map(({ pathspec }) => pathspec)).size).toBe(HUB_LINKS);
      expect(told).toHaveLength(HUB_LINKS);
      expect(told.every((link) => link.from === from)).toBe(true);
    }
  });
});
