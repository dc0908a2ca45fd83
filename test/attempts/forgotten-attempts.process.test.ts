import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { scratchFolder } from '../flow/fixtures.ts';

const INDEX = JSON.stringify(join(import.meta.dirname, '../../dist/index.js'));

/** What a program says that opens attempts, and then does `work`. */
function saidBy(work: string, flags: readonly string[] = []): { status: number | null; stderr: string } {
  const script = `
    import { FlowDataStore } from ${INDEX};
    const flow = await FlowDataStore.open({ flowName: 'Test', storage: process.argv[1] });
    const open = (taskId) => flow.createTaskDataStore({ runId: 'r1', stepName: 'fit', taskId });
    ${work}
    await flow.close();`;
  const args = [...flags, '--input-type=module', '-e', script, join(scratchFolder(), 'store')];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 120_000 });
  return { status, stderr };
}

describe('a program that ends without done()', () => {
  it.each([
    ['by itself', ''],
    ['by process.exit()', 'setImmediate(() => process.exit());'],
  ])('%s is told once which attempts nobody can read, and is not kept from ending', (_, end) => {
    const { status, stderr } = saidBy(`await open('drama'); await (await open('closed')).done(); ${end}`);
    expect(status).toBe(0);
    expect(stderr.match(/STOWAGE_NOT_DONE/g)).toHaveLength(1);
    expect(stderr).toContain('Attempt Test/r1/fit/drama/0 was neither done nor failed');
    expect(stderr).not.toContain('closed');
  });

  it('names some of many', () => {
    const { stderr } = saidBy('for (let i = 0; i < 9; i += 1) await open(String(i));');
    expect(stderr).toContain('Test/r1/fit/4/0 and 4 more were neither');
  });

  it.each([
    ['all is closed', "await (await open('a')).done(); await (await open('b')).fail(new Error('no'));", []],
    ['the program fails by itself', "await open('a'); process.exit(3);", []],
    ['it was told to show no warnings', "await open('a');", ['--no-warnings']],
    ['it was told so, and exits', "await open('a'); process.exit();", ['--no-warnings']],
  ] as const)('says nothing where %s', (_, work, flags) => {
    expect(saidBy(work, flags).stderr).toBe('');
  });
});
