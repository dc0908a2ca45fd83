import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { openStorage, registerStorage } from '../../src/storage/open.ts';
import { noise } from '../flow/fixtures.ts';
import { scratchFolder } from '../storage/scratch.ts';
import { serveStore } from './served.ts';

/** What each storage was opened with, by its address. */
const opened: [uri: string, budgetMs: number | undefined][] = [];

beforeAll(() => {
  vi.stubEnv('STOWAGE_INDEXES', scratchFolder());
  registerStorage('retried', (uri, { retry }) => {
    opened.push([uri, retry?.budgetMs]);
    return openStorage(uri.replace('retried:', 'memory:'));
  });
});
beforeEach(() => void opened.splice(0));
afterAll(() => vi.unstubAllEnvs());

it('a page gives up a call of its store, and of its index, after ten seconds, and others as ever', async () => {
  const storage = `retried:home-${randomUUID()}`;
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage });
  await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) => task.saveArtifacts({ x: 1 }));
  const page = await serveStore(storage);
  expect(await page.ask('show?arg=Train/r1')).toMatchObject({ result: { run: 'r1' } });
  expect(await page.ask('find?arg=Train')).toMatchObject({ result: { attempts: [{ run: 'r1' }] } });
  // By the flow; by the page for records, and for its index.
  expect(opened).toEqual([undefined, 10_000, 10_000].map((budgetMs) => [storage, budgetMs]));
});

it('a place tries again as its store does', async () => {
  const [storage, rawDataPath] = [`retried:home-${randomUUID()}`, `retried:place-${randomUUID()}`];
  const retry = { budgetMs: 7_000 };
  await using flow = await FlowDataStore.openAround({ flowName: 'Train', storage, rawDataPath }, { retry });
  await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) =>
    task.saveArtifacts({ x: noise(100_000) }),
  );
  expect(opened).toContainEqual([rawDataPath, 7_000]);
});
