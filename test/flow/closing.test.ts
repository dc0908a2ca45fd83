import { expect, it } from 'vitest';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import { copyStore } from '../../src/maintenance/copy-store.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { StorageDecorator } from '../../src/storage/decorator.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { registerStorage } from '../../src/storage/open.ts';
import { errorOf, saveTask } from '../flow/fixtures.ts';

/** A storage that notes when it is closed, and may fail then. */
class Closing extends StorageDecorator {
  readonly #name: string;
  readonly #closed: string[];
  readonly #fails: boolean;

  constructor(name: string, closed: string[], fails: boolean) {
    super(new MemoryStorage(`closing.test ${name}`));
    this.#name = name;
    this.#closed = closed;
    this.#fails = fails;
  }

  override async close(): Promise<void> {
    this.#closed.push(this.#name);
    if (this.#fails) throw new Error(`${this.#name} cannot be closed`);
    await super.close();
  }
}

/** A flow whose storages are its own to close: of the store, and of a place for each name. */
async function flowOf(closed: string[], places: readonly string[], failing: readonly string[]) {
  const open = (name: string): DataStoreStorage => new Closing(name, closed, failing.includes(name));
  const id = `closing-${Math.random().toString(36).slice(2)}`;
  registerStorage(id, () => open('own'));
  const flow = await FlowDataStore.open({
    flowName: 'Test',
    storage: `${id}://here`,
    openPlace: (uri) => open(uri.split(' ').at(-1) as string),
  });
  for (const [i, place] of places.entries()) {
    await flow.task({ runId: id, stepName: 's', taskId: String(i) }, (task) =>
      task.saveArtifacts({ x: new Uint8Array(30_000) }, { rawDataPath: `memory:closing.test ${place}` }),
    );
  }
  return flow;
}

it('a place that cannot be closed keeps neither other places open nor the store', async () => {
  const closed: string[] = [];
  const flow = await flowOf(closed, ['a', 'b'], ['a']);
  await expect(flow.close()).rejects.toThrow('a cannot be closed');
  expect(closed.sort()).toEqual(['a', 'b', 'own']);
});

it('where several cannot be closed, all are told', async () => {
  const closed: string[] = [];
  const flow = await flowOf(closed, ['c', 'd'], ['c', 'd', 'own']);
  const { details } = await errorOf(flow.close(), 'STORAGE_FAILED');
  expect(closed.sort()).toEqual(['c', 'd', 'own']);
  expect(JSON.stringify(details)).toMatch(/own cannot be closed/);
});

it('a copy closes both its stores, whichever of them fails then', async () => {
  const closed: string[] = [];
  const from = new MemoryStorage('closing.test source');
  await saveTask(await FlowDataStore.open({ flowName: 'Test', storage: from }), { a: 1 });
  registerStorage('closing-from', () => new Closing('source', closed, true));
  registerStorage('closing-to', () => new Closing('target', closed, false));
  await expect(copyStore({ from: 'closing-from://a', to: 'closing-to://b' })).rejects.toThrow(
    'source cannot be closed',
  );
  expect(closed.sort()).toEqual(['source', 'target']);
});
