// Writes and reads a task while this process's clock is wrong. Prints what came of it as JSON.
// Usage: node wrong-clock.mjs ADDRESS STORAGE_OPTIONS(JSON) OFFSET_MS
const [address, options, offsetMs] = process.argv.slice(2);

const RealDate = Date;
const now = () => RealDate.now() + Number(offsetMs);
globalThis.Date = class extends RealDate {
  constructor(...given) {
    super(...(given.length === 0 ? [now()] : given));
  }
  static now() {
    return now();
  }
};

const { FlowDataStore, openStorage } = await import('../../../dist/index.js');
const storage = await openStorage(address, JSON.parse(options));
const flow = await FlowDataStore.open({ flowName: 'Late', storage });
try {
  await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) => task.saveArtifacts({ auc: 0.91 }));
  const { auc } = await (await flow.getTaskDataStore('r1/fit/0')).loadArtifacts(['auc']);
  process.stdout.write(JSON.stringify({ auc }));
} catch ({ code, message }) {
  process.stdout.write(JSON.stringify({ code, message }));
}
await flow.close();
await storage.close();
