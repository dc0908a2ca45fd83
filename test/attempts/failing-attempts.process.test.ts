import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openFlow, scratchFolder } from '../flow/fixtures.ts';

const INDEX = JSON.stringify(join(import.meta.dirname, '../../dist/index.js'));

/** Runs `work` as a task of a process of its own, which dies of it or is told to go on by `goOn()`, in a store of its own. */
async function dieOf(work: string, { before = '', flags = [] as string[] } = {}) {
  const folder = join(scratchFolder(), 'store');
  const script = `
    import { FlowDataStore } from ${INDEX};
    const alive = setInterval(() => {}, 1000);
    let goOn;
    const told = new Promise((resolve) => { goOn = resolve; });
    ${before}
    const flow = await FlowDataStore.open({ flowName: 'Test', storage: process.argv[1] });
    await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, async (task) => {
      const unsaveable = () => 1;
      async function* broken() { yield Buffer.from('so far'); throw new Error('broke off'); }
      ${work}
      await told;
      clearInterval(alive);
      await task.saveArtifacts({ metrics: 1 });
    });
    await flow.close();`;
  const args = [...flags, '--input-type=module', '-e', script, folder];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 120_000 });
  const flow = await openFlow({ storage: folder });
  const attempt = await flow.getTaskDataStore('r1/fit/0', { allowNotDone: true });
  return { exit: status, stderr, attempt };
}

describe('a process that nobody keeps from dying of a save that failed', () => {
  it.each([
    ['artifacts', 'task.saveArtifacts({ model: unsaveable });', 'UNSERIALIZABLE_ARTIFACT'],
    [
      'several',
      'for (let i = 0; i < 9; i++) task.saveArtifacts({ [i]: unsaveable });',
      'UNSERIALIZABLE_ARTIFACT',
    ],
    [
      'forEach(async ...)',
      '[1].forEach(async () => { await task.saveArtifacts({ model: unsaveable }); });',
      'UNSERIALIZABLE_ARTIFACT',
    ],
    [
      'an error that names another as its cause',
      '[1].forEach(async () => { try { await task.saveArtifacts({ model: unsaveable }); } catch (cause) { throw new Error("outer", { cause }); } });',
      'outer',
    ],
    ['metadata', 'task.saveMetadata({ at: new Date() });', 'INVALID_ARGUMENT'],
    ['a stream', "task.saveArtifactStream('model', broken());", 'broke off'],
    ['an iterable', 'task.saveArtifacts(broken());', 'INVALID_ARGUMENT'],
    ['logs', "task.saveLogs('task', { stdout: broken() });", 'broke off'],
    [
      'what is no error',
      "task.saveArtifactStream('model', (async function* () { throw undefined; })());",
      'undefined',
    ],
  ])('fails the attempt before it does: %s', async (_, work, said) => {
    const { exit, stderr, attempt } = await dieOf(work);
    expect({ exit, status: attempt.status }).toEqual({ exit: 1, status: 'failed' });
    expect(stderr).toContain(said);
    expect(attempt.names()).toEqual([]);
  });

  it('dies as it is told to, and lives on where it is', async () => {
    const work = 'task.saveArtifacts({ model: unsaveable });';
    const before =
      "process.on('warning', ({ name }) => name === 'UnhandledPromiseRejectionWarning' && goOn());";
    const warned = await dieOf(work, { before, flags: ['--unhandled-rejections=warn'] });
    expect([warned.attempt.status, warned.stderr.includes('UnhandledPromiseRejectionWarning')]).toEqual([
      'failed',
      true,
    ]);
    const caught =
      "process.on('uncaughtException', (error, origin) => { console.error(origin, error.code); goOn(); });";
    const { exit, stderr } = await dieOf(work, { before: caught });
    expect([exit === 1, stderr]).toEqual([
      false,
      expect.stringContaining('unhandledRejection UNSERIALIZABLE_ARTIFACT'),
    ]);
  });

  it('tells who catches what nobody handled of all of it', async () => {
    const before = `
      let caught = 0;
      process.on('uncaughtException', ({ details }) => {
        console.error('caught', details.artifact);
        if (++caught === 3) goOn();
      });`;
    const work = 'for (let i = 0; i < 3; i++) task.saveArtifacts({ ["n" + i]: unsaveable });';
    const { stderr, attempt } = await dieOf(work, { before });
    expect(stderr.match(/caught n\d/g)).toEqual(['caught n0', 'caught n1', 'caught n2']);
    expect(attempt.status).toBe('failed');
  });

  it('leaves a process alone that listens, whose attempt is not done either', async () => {
    const before =
      "process.on('unhandledRejection', ({ code }) => { console.error('heard', code); goOn(); });";
    const { stderr, attempt } = await dieOf('task.saveArtifacts({ model: unsaveable });', { before });
    expect(stderr).toContain('heard UNSERIALIZABLE_ARTIFACT');
    expect([attempt.status, attempt.names()]).toEqual(['failed', ['metrics']]);
  });
});
