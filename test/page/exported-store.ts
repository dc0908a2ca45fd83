import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { FlowDataStore } from '../../src/index.ts';
import { stowageProcess } from '../cli/program-process.ts';
import { makeShownStore } from './shown-store.ts';

/** Tasks of the run `Many/m1`; the last one fails. */
export const MANY_TASKS = 300;
const HOSTILE_HTML = '<h2>of a user</h2><script>top.hacked = 1</script><img src=x onerror="top.hacked = 2">';

/** A store in a folder of its own, which exports are written to. */
export interface ExportedStore extends AsyncDisposable {
  folder: string;
  store: string;
  /** Indexes are those of the folder alone. */
  environment: Record<string, string>;
  /** Exports to a folder of that name, and gives the page's address and what the command says. It must succeed. */
  exportTo(name: string, args: readonly string[]): Promise<{ url: string; told: Record<string, unknown> }>;
}

/** Makes a store of runs of every kind, and one of many tasks. */
export async function makeExportedStore(): Promise<ExportedStore> {
  const folder = await mkdtemp(join(tmpdir(), 'stowage-export-'));
  const store = await makeShownStore(folder);
  await using flow = await FlowDataStore.open({ flowName: 'Many', storage: store });
  for (let taskId = 0; taskId < MANY_TASKS; taskId++)
    await flow
      .task({ runId: 'm1', stepName: 'each', taskId: String(taskId) }, async (task) => {
        await task.saveArtifacts({ taskId });
        if (taskId === 0) task.report('own', { title: 'Own' }).html(HOSTILE_HTML);
        if (taskId === MANY_TASKS - 1) throw new Error('the last one fails');
      })
      .catch(() => {});
  const environment = { STOWAGE_INDEXES: join(folder, 'indexes') };
  return {
    folder,
    store,
    environment,
    async exportTo(name, args) {
      const out = join(folder, name);
      const all = ['ui', '--export', out, '--json', ...args];
      const { code, stdout, stderr } = await stowageProcess(store, all, environment);
      if (code !== 0) throw new Error(`exit code ${code}: ${stderr}`);
      return { url: pathToFileURL(join(out, 'index.html')).href, told: JSON.parse(stdout) };
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
