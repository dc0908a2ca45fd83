import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { StorageDatabase } from '../../src/storage/contract.ts';
import { SqliteStorage } from '../../src/storage/sqlite.ts';
import type { LineageOptions } from '../../src/store-index/lineage.ts';
import type { StoreIndex } from '../../src/store-index/store-index.ts';
import { afterThisTest } from '../cleanups.ts';
import { scratchFolder } from '../flow/fixtures.ts';
import { allOf } from './asked-store.ts';
import { HUB, HUB_KEY, HUB_LINKS, indexOfHub, JOIN } from './hub.ts';
import { planOf, recordStatements } from './indexes.ts';

async function openHub(): Promise<{ database: StorageDatabase; index: StoreIndex }> {
  const storage = await SqliteStorage.open(`sqlite:${join(scratchFolder(), 'runs.db')}`);
  afterThisTest(() => storage.close());
  return indexOfHub(storage);
}

describe('the lineage of what has very many links', () => {
  it.each<[string, string, LineageOptions, RegExp]>([
    ['users of an attempt', HUB, { down: 1 }, /reads_by_source .* AND attempt_id>\?\)/],
    [
      'sources of an attempt',
      JOIN,
      { up: 1 },
      /PRIMARY KEY \(attempt_id=\? AND \(flow,run,step,task,attempt\)>/,
    ],
    ['holders of a content', HUB_KEY, { up: 0 }, /artifacts_by_key \(key=\? AND attempt_id>\?\)/],
    [
      'holders of a content, by the beginning of its key',
      HUB_KEY.slice(0, 8),
      { up: 0 },
      /artifacts_by_key \(key=\? AND attempt_id>\?\)/,
    ],
  ])('goes through them by an index, and sorts none of them: %s', async (_, of, options, search) => {
    const { database, index } = await openHub();
    const statements = recordStatements(database);
    const links = await allOf(index.lineage(of, options));
    const told = links.flatMap(({ pathspec }) => (pathspec.includes('/use/') ? [pathspec] : []));
    expect([told.length, new Set(told).size]).toEqual([HUB_LINKS, HUB_LINKS]);
    const pages = statements.filter(({ text }) => text.includes('limit 1000'));
    expect(pages).toHaveLength(3);
    const [page] = pages;
    const plan = await planOf(database, page?.text as string);
    const isOfPage = plan.findIndex((step) => step.startsWith('SCAN page'));
    expect(isOfPage).toBeGreaterThan(0);
    // What was cut to a page is joined with others, and may be sorted.
    expect(plan.slice(0, isOfPage).filter((step) => /TEMP B-TREE|^SCAN/.test(step))).toEqual([]);
    expect(plan.slice(isOfPage + 1).filter((step) => step.startsWith('SCAN'))).toEqual([]);
    expect(plan.join('\n')).toMatch(search);
  });

  it('tells each link once, through levels of very many', async () => {
    const { index } = await openHub();
    const links = await allOf(index.lineage(HUB, { down: true }));
    const ids = links.map(({ from, pathspec }) => `${from} ${pathspec}`);
    expect([ids.length, new Set(ids).size]).toEqual([1 + 2 * HUB_LINKS, 1 + 2 * HUB_LINKS]);
    expect(links.filter(({ pathspec, isRepeated }) => pathspec === JOIN && !isRepeated)).toHaveLength(1);
  });
});
