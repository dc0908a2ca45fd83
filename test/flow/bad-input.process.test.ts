import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hasSmallDisks, withSmallDisk } from '../storage/small-disk.ts';
import { errorOf, noise, openFlow, saveTask } from './fixtures.ts';
import { isRoot, nobody, runScript } from './run-script.ts';

const SAVE = `
const flow = await FlowDataStore.open({ flowName: 'Test', storage: path });
const save = (taskId, bytes) => flow.task({ runId: 'r1', stepName: 'fit', taskId }, (task) => task.saveArtifacts({ blob: Buffer.alloc(bytes).map(() => Math.random() * 256) }));
const tell = (error) => console.log(error.name, error.code, error.message);
`;

describe.skipIf(process.platform === 'win32')(
  'a folder without write permission, as a user who is not root',
  () => {
    it('can be read, and is refused for writing by a typed error', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'stowage-test-'));
      try {
        chmodSync(folder, 0o755);
        const flow = await openFlow({ storage: join(folder, 'store') });
        await saveTask(flow, { blob: noise(20_000) });
        if (!isRoot) execFileSync('chmod', ['-R', 'a-w', folder]);
        const output = runScript(
          `${SAVE} await save('1', 20000).catch(tell); const task = await flow.getTaskDataStore('r1/fit/0'); console.log((await task.get('blob')).length);`,
          [join(folder, 'store')],
          { uid: nobody },
        );
        expect(output).toMatch(/StowageError STORAGE_NOT_PERMITTED .*may not do that there/);
        expect(output).toMatch(/^20000$/m);
        expect(
          runScript(`${SAVE} await save('1', 20000).catch(tell);`, [join(folder, 'other')], { uid: nobody }),
        ).toMatch(/STORAGE_NOT_PERMITTED/);
        expect(readdirSync(folder)).toEqual(['store']);
      } finally {
        if (!isRoot) execFileSync('chmod', ['-R', 'u+w', folder]);
        rmSync(folder, { recursive: true, force: true });
      }
    });
  },
);

describe.runIf(await hasSmallDisks())('a full disk', () => {
  it('gives a typed error, closes nothing, and works again once there is room', async () => {
    await withSmallDisk('1m', async (folder) => {
      mkdirSync(join(folder, 'ballast'));
      const flow = await openFlow({ storage: join(folder, 'store') });
      await saveTask(flow, { blob: noise(20_000) });
      writeFileSync(join(folder, 'ballast', 'file'), noise(800_000));
      const error = await errorOf(
        saveTask(flow, { blob: noise(400_000, 2) }, { taskId: '1' }),
        'STORAGE_FULL',
      );
      expect(error.message).toMatch(/full|space/i);
      expect((await flow.getTaskDataStores({ runId: 'r1' })).map((task) => task.taskId)).toEqual(['0']);
      rmSync(join(folder, 'ballast'), { recursive: true });
      await saveTask(flow, { blob: noise(400_000, 2) }, { taskId: '1' });
      expect(
        Buffer.compare(await (await flow.getTaskDataStore('r1/fit/1')).get('blob'), noise(400_000, 2)),
      ).toBe(0);
      expect(readdirSync(join(folder, 'store', '.stowage-tmp'))).toEqual([]);
    });
  });

  it('under a file of SQLite gives a typed error, leaves what was done, and works again once there is room', async () => {
    await withSmallDisk('2m', async (folder) => {
      // In a process of its own: this one may keep the file open until memory is collected, and a disk that is in use stays.
      const script = `
        import { randomBytes } from 'node:crypto';
        import { rmSync, writeFileSync } from 'node:fs';
        const storage = 'sqlite:' + path + '/runs.db';
        const flow = await FlowDataStore.open({ flowName: 'Test', storage });
        const save = (taskId, artifacts) =>
          flow.task({ runId: 'r1', stepName: 'fit', taskId }, (task) => task.saveArtifacts(artifacts));
        const done = async (from) => (await from.getTaskDataStores({ runId: 'r1' })).map(({ taskId }) => taskId).join();
        await save('0', { small: 1 });
        writeFileSync(path + '/ballast', randomBytes(1_500_000));
        const values = { medium: randomBytes(100_000), more: randomBytes(100_000), most: randomBytes(400_000) };
        const error = await save('1', values).catch((error) => error);
        const other = await FlowDataStore.open({ flowName: 'Test', storage });
        console.log(error.code, await done(flow), await done(other));
        rmSync(path + '/ballast');
        await save('2', values);
        const loaded = await (await other.getTaskDataStore('r1/fit/2')).loadArtifacts();
        console.log(await done(other), Object.keys(values).every((name) => Buffer.compare(loaded[name], values[name]) === 0));
        await flow.close();
        await other.close();`;
      expect(runScript(script, [folder])).toBe('STORAGE_FULL 0 0\n0,2 true\n');
    });
  });
});
