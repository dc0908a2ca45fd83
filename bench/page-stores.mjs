/** Stores that are large to look at. `stowage` is the package, from its sources or as it is built. */

/** Makes runs of one task each. */
export async function makeRuns(stowage, storage, count) {
  const flow = await stowage.FlowDataStore.open({ flowName: 'Many', storage });
  await inTurns(count, async (index) => {
    const runId = `run-${String(index).padStart(6, '0')}`;
    const run = await flow.createRun({ runId, tags: [`day ${index % 7}`], parameters: { index } });
    await flow.task({ runId, stepName: 'only', taskId: '0' }, (task) => task.saveArtifacts({ index }));
    await run.finish(index % 10 === 3 ? 'failed' : 'done');
  });
  await flow.close();
}

/** Makes one run, `Wide/r1`, of three steps; the one in the middle has `count` tasks, which read from the first. */
export async function makeTasks(stowage, storage, count) {
  const flow = await stowage.FlowDataStore.open({ flowName: 'Wide', storage });
  const [runId, spec] = ['r1', { runId: 'r1', stepName: 'first', taskId: '0' }];
  const run = await flow.createRun({ runId });
  await flow.task(spec, (task) => task.saveArtifacts({ seed: 7 }));
  const first = await flow.getTaskDataStore('r1/first/0');
  await inTurns(count, (index) =>
    flow.task({ runId, stepName: 'each', taskId: String(index) }, async (task) => {
      await task.passdownPartial(first, ['seed']);
      await task.saveArtifacts({ index, name: `item ${index}` });
      if (index % 100 === 0) await task.saveLogs('task', { stdout: `item ${index} begins\n`.repeat(20) });
    }),
  );
  await run.finish('done');
  await flow.close();
}

/** Makes a table of `count` rows: `Table/r1/load/0/0`, artifact `frame` as Parquet, `numbers` as a typed array. */
export async function makeTable(stowage, storage, count) {
  const flow = await stowage.FlowDataStore.open({ flowName: 'Table', storage });
  await flow.task({ runId: 'r1', stepName: 'load', taskId: '0' }, async (task) => {
    const rows = (function* () {
      for (let id = 0; id < count; id += 1) yield { id, auc: (id % 1000) / 1000, name: `item ${id % 97}` };
    })();
    await task.saveArtifacts({
      frame: await task.frames.fromRows(rows),
      numbers: Float64Array.from({ length: count }, (_, index) => Math.sin(index / 1000)),
    });
  });
  await flow.close();
}

/** Makes `count` entries of the cache, by calls of one task. */
export async function makeEntries(stowage, storage, count) {
  const flow = await stowage.FlowDataStore.open({ flowName: 'Cached', storage });
  const task = flow.cachedTask({
    name: 'score',
    version: '1',
    run: async ({ index }) => ({ score: index / 7 }),
  });
  await inTurns(count, (index) => task({ index, name: `item ${index % 97}` }));
  await flow.close();
}

/** A few at a time. */
async function inTurns(count, work) {
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < count; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}
