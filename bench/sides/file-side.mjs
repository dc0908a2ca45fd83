// One command of a comparison of files: node file-side.mjs <store> file|directory save-file|save-directory <path> <task>, or load <path>.
import { FlowDataStore } from '../../dist/index.js';

const [storage, stepName, work, path, taskId] = process.argv.slice(2);
const flow = await FlowDataStore.open({ flowName: 'Bench', storage });
if (work === 'load') {
  const task = await flow.getTaskDataStore(`1/${stepName}/0`);
  await (await task.get('data')).download(path);
} else {
  await flow.task({ runId: '1', stepName, taskId, attempt: 0 }, async (task) => {
    const references = work === 'save-file' ? task.files : task.directories;
    await task.saveArtifacts({ data: await references.fromLocal(path) });
  });
}
await flow.close();
