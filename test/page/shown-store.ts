import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tableFromArrays } from 'apache-arrow';
import { FlowDataStore, type FlowDataStoreOptions } from '../../src/index.ts';

/** Texts that do harm where they are taken for more than text. */
export const HOSTILE = [
  '<img src=x onerror=alert(1)>',
  '"><svg onload=alert(1)>',
  "'-alert(1)-'",
  'javascript:alert(1)',
  '{{constructor.constructor("alert(1)")()}}',
  '\u202egnp.exe',
] as const;

const HOSTILE_HTML = `<script>top.hacked = 1; fetch('http://127.0.0.1:9/')</script><img src="http://127.0.0.1:9/x" onerror="top.hacked = 2">`;
const HOSTILE_SVG = `<svg xmlns="http://www.w3.org/2000/svg" onload="top.hacked = 3"><script>top.hacked = 4</script><rect width="9" height="9"/></svg>`;
const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

/** Where a store is made: its address or storage, and the place of its content where that is elsewhere. */
export type ShownPlace = Pick<FlowDataStoreOptions, 'storage' | 'rawDataPath'>;

/** Makes a store in a folder, beside the files that it has saved, and gives its address. */
export async function makeShownStore(folder: string): Promise<string> {
  const storage = join(folder, 'store');
  await fillShownStore(folder, { storage });
  return storage;
}

/** Makes a store with runs of every kind, artifacts of every type, and hostile text in every field. */
export async function fillShownStore(folder: string, place: ShownPlace): Promise<void> {
  const data = join(folder, 'data');
  mkdirSync(join(data, 'parts'), { recursive: true });
  writeFileSync(join(data, 'rows.csv'), 'id,auc\n1,0.5\n2,0.7\n');
  writeFileSync(join(data, 'dot.png'), PIXEL);
  writeFileSync(join(data, 'dot.svg'), HOSTILE_SVG);
  writeFileSync(join(data, 'parts', 'a.txt'), 'a\n');
  writeFileSync(join(data, 'parts', 'b.html'), HOSTILE_HTML);
  const code = join(folder, 'code');
  mkdirSync(join(code, 'src'), { recursive: true });
  writeFileSync(join(code, 'main.ts'), 'run();\n', { mode: 0o755 });
  writeFileSync(join(code, 'src', `${HOSTILE[0]}.html`), HOSTILE_HTML);
  await using flow = await FlowDataStore.open({ flowName: 'Train', ...place });
  for (const [runId, rate] of [
    ['r1', 0.1],
    ['r2', 0.05],
  ] as const) {
    const run = await flow.createRun({
      runId,
      tags: ['exp', `rate ${rate}`],
      ...(runId === 'r1' ? { code } : {}),
      parameters: { rate, epochs: 3 },
    });
    await flow.task({ runId, stepName: 'load', taskId: '0' }, async (task) => {
      await task.saveArtifacts({
        rows: await task.files.fromLocal(join(data, 'rows.csv'), { mediaType: 'text/csv' }),
        parts: await task.directories.fromLocal(join(data, 'parts')),
        image: await task.files.fromLocal(join(data, 'dot.png')),
        drawing: await task.files.fromLocal(join(data, 'dot.svg')),
        frame: await task.frames.fromRows(
          Array.from({ length: 5_000 }, (_, id) => ({ id, auc: id * rate, name: `m${id % 7}` })),
        ),
      });
      await task.saveLogs('task', { stdout: 'loaded\n', stderr: 'a warning\n' });
    });
    for (const taskId of ['0', '1', '2']) {
      await flow.task({ runId, stepName: 'fit', taskId }, async (task) => {
        const load = await flow.getTaskDataStore(`${runId}/load/0`);
        const rows = await load.get('rows');
        task.recordRead(load);
        await task.saveArtifacts({
          rows,
          weights: Float64Array.from({ length: 4_000 }, (_, i) => Math.sin(i * rate) * (Number(taskId) + 1)),
          nothing: new Float32Array(0),
          blanks: new Float64Array(50).fill(Number.NaN),
          counts: BigInt64Array.from({ length: 100 }, (_, i) => BigInt(i)),
          table: tableFromArrays({
            id: Int32Array.from({ length: 300 }, (_, i) => i),
            x: Float64Array.from({ length: 300 }, (_, i) => i / 3),
          }),
          list: Array.from({ length: 200 }, (_, i) => ({ i, square: i * i })),
          deep: { a: { b: { c: [1, 2, { d: new Map([['k', new Date(0)]]) }] } }, text: 'x'.repeat(20_000) },
          auc: 0.9 + rate * Number(taskId),
          page: HOSTILE_HTML,
          notes: '# Notes\n\n[click](javascript:alert(1)) <b onclick="alert(1)">bold</b>\n',
        });
        await task.saveMetadata({ auc: 0.9 + rate, label: HOSTILE[0] });
        const report = task.report('loss', { title: HOSTILE[1] });
        report.text(HOSTILE[0]);
        report.plot({ y: [1, 0.5, 0.25] });
      });
    }
    await flow
      .task({ runId, stepName: 'flaky', taskId: '0' }, async (task) => {
        await task.saveArtifacts({ half: 1 });
        throw new Error(`fell over: ${HOSTILE[0]}`, { cause: new RangeError('too large') });
      })
      .catch(() => {});
    if (runId === 'r1')
      await flow.task({ runId, stepName: 'flaky', taskId: '0' }, (task) => task.saveArtifacts({ half: 2 }));
    await run.finish('done');
  }
  const judge = flow.cachedTask({
    name: 'judge',
    version: '3',
    run: async (input: { text: string }) => ({ length: input.text.length }),
  });
  for (const runId of ['j1', 'j2']) {
    for (const text of ['one', 'two', HOSTILE[0]]) await judge({ text }, { runId, recordHit: true });
  }
  await using hostile = await FlowDataStore.open({ flowName: HOSTILE[0], ...place });
  await hostile.createRun({
    runId: HOSTILE[1],
    tags: [...HOSTILE],
    parameters: { [HOSTILE[2]]: HOSTILE[0] },
  });
  await hostile.task({ runId: HOSTILE[1], stepName: HOSTILE[2], taskId: HOSTILE[3] }, async (task) => {
    await task.saveArtifacts(
      Object.fromEntries(HOSTILE.map((text, index) => [`name${index}`, { [text]: text }])),
    );
    await task.saveMetadata({ [HOSTILE[4]]: HOSTILE[5] });
    await task.saveLogs('task', { stdout: `${HOSTILE.join('\n')}\n` });
  });
  await flow.task({ runId: 'r3', stepName: 'slow', taskId: '0' }, (task) => task.saveArtifacts({ x: 1 }));
  await flow.createTaskDataStore({ runId: 'r3', stepName: 'slow', taskId: '1' });
}
