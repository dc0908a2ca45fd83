// Saves a task in the store at an address, or in the default one. Usage: PACKAGE=dist/index.js node save-by-address.mjs [ADDRESS]
const { FlowDataStore } = await import(process.env.PACKAGE);
const [address] = process.argv.slice(2);
const flow = await FlowDataStore.open({ flowName: 'F', ...(address ? { storage: address } : {}) });
for (let i = 0; i < 2; i++) {
  await flow.task({ runId: 'r', stepName: 's', taskId: String(Math.random()) }, (task) =>
    task.saveArtifacts({ i }),
  );
}
await flow.close();
