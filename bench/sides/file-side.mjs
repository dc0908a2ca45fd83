// One command of a comparison of files: node file-side.mjs <store> save <path> <task>, or load <path>.
import { FlowDataStore } from '../../dist/index.js';

const [storage, work, path, taskId] = process.argv.slice(2);
const flow = await FlowDataStore.open({ flowName: 'Bench', storage });
if (work === 'load') {
  const task = await flow.getTaskDataStore('1/fit/0');
  await (await task.get('data')).download(path);
} else {
  await flow.task({ runId: '1', stepName: 'fit', taskId, attempt: 0 }, async (task) => {
    await task.saveArtifacts({ data: await task.files.fromLocal(path) });
  });
}
await flow.close();
