import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openFlow, scratchFolder } from '../flow/fixtures.ts';

const INDEX = JSON.stringify(join(import.meta.dirname, '../../dist/index.js'));

describe.skipIf(process.platform === 'win32')('a process that may have few files open', () => {
  it.each([
    [96, 300, '{ v: index }', 'folder'],
    [128, 1_500, '{ v: index }', 'folder'],
    [128, 1_500, '{ v: index }', 'await openStorage(folder, { local: { fsync: false } })'],
    [128, 150, '{ v: Float64Array.from({ length: 20_000 }, Math.random) }', 'folder'],
  ])('of %d, runs %d tasks at once to their end: %s in %s', async (limit, count, values, storage) => {
    const folder = join(scratchFolder(), 'store');
    const script = `
      import { FlowDataStore, openStorage } from ${INDEX};
      const folder = ${JSON.stringify(folder)};
      const flow = await FlowDataStore.open({ flowName: 'Test', storage: ${storage} });
      const all = Array.from({ length: ${count} }, (_, index) =>
        flow.task({ runId: 'r1', stepName: 'fit', taskId: String(index) }, (task) => task.saveArtifacts(${values})));
      const failed = (await Promise.allSettled(all)).filter(({ status }) => status === 'rejected');
      await flow.close();
      console.log(failed.length, failed[0]?.reason ?? '');`;
    expect(run(limit, script)).toEqual(['0', '']);
    const flow = await openFlow({ storage: folder });
    expect(await flow.getTaskDataStores({ runId: 'r1', require: 'all' })).toHaveLength(count);
  });

  it.each(['folder', 'await openStorage(folder)'])('waits until others have closed theirs: %s', (storage) => {
    const script = `
      import { closeSync, openSync } from 'node:fs';
      import { FlowDataStore, openStorage } from ${INDEX};
      const folder = ${JSON.stringify(join(scratchFolder(), 'store'))};
      const flow = await FlowDataStore.open({ flowName: 'Test', storage: ${storage} });
      const save = (taskId) => flow.task({ runId: 'r1', stepName: 'fit', taskId }, (task) => task.saveArtifacts({ taskId }));
      await save('first');
      const held = [];
      try {
        for (;;) held.push(openSync('/dev/null'));
      } catch (error) {
        console.log(error.code);
      }
      setTimeout(() => held.forEach((file) => closeSync(file)), 300);
      await save('second');
      await flow.close();`;
    expect(run(96, script)).toEqual(['EMFILE', '']);
  });

  // Node.js never reads a module again that it could not read: what is loaded on use would be lost to the process.
  it.each([
    ['directories', 'flow.directories.fromLocal(sources)'],
    ['published versions', "flow.publish('model', { task: 'r1/fit/first', artifact: 'a' })"],
    ['the code of a run', 'flow.createRun({ code: sources })'],
    ['data frames', 'flow.frames.fromRows([{ a: 1 }])'],
    ['the source of functions', "flow.cachedTask({ name: 'auto', version: 'auto', run: () => 1 })(1)"],
    ['what deletes', "removeFromStore({ store: folder, path: 'Test/r1/fit/first' })"],
    ['a file of this machine', "flow.files.fromLocal(sources + '/a.txt')"],
  ])('waits as well for what loads parts of the package, or reads files: %s', (_, call) => {
    const folder = scratchFolder();
    const sources = join(folder, 'sources');
    mkdirSync(sources);
    writeFileSync(join(sources, 'a.txt'), 'a');
    const script = `
      import { closeSync, openSync } from 'node:fs';
      import { FlowDataStore, removeFromStore } from ${INDEX};
      const [folder, sources] = ${JSON.stringify([join(folder, 'store'), sources])};
      const flow = await FlowDataStore.open({ flowName: 'Test', storage: folder });
      await flow.task({ runId: 'r1', stepName: 'fit', taskId: 'first' }, (task) => task.saveArtifacts({ a: 1 }));
      const held = [];
      try {
        for (;;) held.push(openSync('/dev/null'));
      } catch (error) {
        console.log(error.code);
      }
      setTimeout(() => held.forEach((file) => closeSync(file)), 300);
      await ${call};
      await flow.close();`;
    expect(run(96, script)).toEqual(['EMFILE', '']);
  });

  it('of 64, saves a hundred files of this machine at once, by themselves and in cached tasks, and downloads them', () => {
    const folder = scratchFolder();
    const file = join(folder, 'a.bin');
    writeFileSync(file, Buffer.alloc(400_000, 7));
    const script = `
      import { FlowDataStore } from ${INDEX};
      const [folder, file] = ${JSON.stringify([join(folder, 'store'), file])};
      const flow = await FlowDataStore.open({ flowName: 'Test', storage: folder });
      const task = flow.cachedTask({ name: 'keep', version: '1', run: (input, { files }) => files.save('kept', file) });
      const numbers = Array.from({ length: 100 }, (_, number) => number);
      const all = numbers.flatMap((number) => [flow.files.fromLocal(file), task(number)]);
      const ended = await Promise.allSettled(all);
      const [{ value: kept }] = ended;
      ended.push(...(await Promise.allSettled(numbers.map((number) => kept.download(file + number)))));
      const failed = ended.filter(({ status }) => status === 'rejected');
      await flow.close();
      console.log(failed.length, failed[0]?.reason ?? '');`;
    expect(run(64, script)).toEqual(['0', '']);
    expect(readdirSync(folder).filter((name) => name.startsWith('a.bin'))).toHaveLength(101);
  });
});

/** What a process prints that may have so many files open. */
function run(limit: number, script: string): [stdout: string, stderr: string] {
  const command = `ulimit -n ${limit} && exec "$0" --input-type=module -e "$1"`;
  const { stdout, stderr } = spawnSync('sh', ['-c', command, process.execPath, script], { encoding: 'utf8' });
  return [stdout.trim(), stderr];
}
