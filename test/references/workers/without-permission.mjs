import { collectStore, FlowDataStore } from '../../../dist/index.js';

// Saves, reads and downloads what the user `nobody` may not, and tells each error, and the content that a collection leaves of it.
const [, , readable, folder] = process.argv;
const flow = await FlowDataStore.open({ flowName: 'Test', storage: 'memory:' });
// Loads what saves need, while modules may be read.
const ref = await flow.files.fromLocal(`${readable}/file`);
await (await flow.directories.fromLocal(readable)).files();
await collectStore({ store: flow.storage });
process.setgid(65534);
process.setuid(65534);
const before = await contents();
const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };
const calls = {
  file: () => flow.files.fromLocal(`${folder}/secret`),
  plain: () => flow.files.fromLocal(`${folder}/secret`, { plain: true }),
  within: () => flow.files.fromLocal(`${folder}/closed/file`),
  task: () => flow.task(spec, (task) => task.files.fromLocal(`${folder}/secret`)),
  existing: async () => (await flow.files.existing(`${folder}/secret`)).bytes(),
  tree: () => flow.directories.fromLocal(folder),
  mixed: () => flow.directories.fromLocal(folder, { exclude: ['closed'] }),
  closed: () => flow.directories.fromLocal(`${folder}/closed`),
  download: () => ref.download(`${folder}/target`),
};
const said = {};
for (const [name, call] of Object.entries(calls)) {
  said[name] = await call().then(
    () => 'no error',
    ({ code, details }) => [code, details.systemCode ?? null],
  );
}
await collectStore({ store: flow.storage });
console.log(JSON.stringify({ said, left: (await contents()).filter((name) => !before.includes(name)) }));
await flow.close();

async function contents() {
  const names = [];
  for await (const page of flow.storage.list({ prefix: '' }))
    names.push(
      ...page.objects.map(({ name }) => name).filter((name) => /^(data|manifests|packs|plain)\//.test(name)),
    );
  return names;
}
