import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { scratchFolder } from '../flow/fixtures.ts';

const WORKER = fileURLToPath(new URL('workers/save-by-address.mjs', import.meta.url));

/** A program far from any store: where the demo was run, there is one above this file. */
function copyOfWorker(): string {
  const program = join(realpathSync(scratchFolder()), 'save.mjs');
  copyFileSync(WORKER, program);
  return program;
}

/** Runs a program that saves a task in the store at `address`, in a working directory, and returns what it says. */
function save(cwd: string, address = '', program = copyOfWorker()): string {
  mkdirSync(cwd, { recursive: true });
  const env = { ...process.env, PACKAGE: fileURLToPath(new URL('../../dist/index.js', import.meta.url)) };
  const { status, stderr } = spawnSync(process.execPath, [program, address], { cwd, env, encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  return stderr;
}

describe('a program whose working directory changed', () => {
  it.each([
    ['./.stowage, the default', '', '.stowage'],
    ['a relative path', 'data/store/', 'data/store'],
  ])('says once where it made a store of its own: %s', (_, address, path) => {
    const project = realpathSync(scratchFolder());
    expect(save(project, address)).toBe('');
    const below = join(project, 'scripts/deep');
    const said = save(below, address);
    expect(said).toContain(`A new store was made at ${join(below, path)}`);
    expect(said).toContain(`there is one at ${join(project, path)}.`);
    expect(said).toContain('[STOWAGE_NEW_STORE] StowageWarning');
    expect(said.match(/A new store/g)).toHaveLength(1);
    expect(save(below, address)).toBe('');
  });

  it('says so where the store that it used to find lies beside the program', () => {
    const project = realpathSync(scratchFolder());
    const program = join(project, 'bin/save.mjs');
    mkdirSync(join(project, 'bin'));
    copyFileSync(WORKER, program);
    expect(save(project, '', program)).toBe('');
    const elsewhere = realpathSync(scratchFolder());
    expect(save(elsewhere, '', program)).toContain(`there is one at ${join(project, '.stowage')}.`);
  });

  it.each([[[]], [['an-argument']]])(
    'says nothing of a program without a file, whose arguments are %j',
    (args) => {
      const project = realpathSync(scratchFolder());
      const script = `
      import { FlowDataStore } from ${JSON.stringify(fileURLToPath(new URL('../../dist/index.js', import.meta.url)))};
      const flow = await FlowDataStore.open({ flowName: 'Test', storage: './raw' });
      await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) => task.saveArtifacts({ a: 1 }));
      await flow.close();`;
      const options = ['--input-type=module', '-e', script, ...args];
      const { stderr } = spawnSync(process.execPath, options, { cwd: project, encoding: 'utf8' });
      expect(stderr).toBe('');
      expect(existsSync(join(project, 'raw/stowage.json'))).toBe(true);
    },
  );

  it('says nothing where the address does not depend on it', () => {
    const project = realpathSync(scratchFolder());
    save(project, 'store');
    expect(save(join(project, 'a'), join(project, 'a/store'))).toBe('');
    expect(existsSync(join(project, 'a/store/stowage.json'))).toBe(true);
    expect(save(join(project, 'b'), '../b/store')).toBe('');
    expect(save(join(project, 'c'), 'memory:store')).toBe('');
  });
});
