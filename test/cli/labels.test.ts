import { beforeAll, describe, expect, it } from 'vitest';
import { openFlow } from '../flow/fixtures.ts';
import { json, scratchFolder, stowage } from './fixture.ts';

const LABELS = ['question of Anna', 'question of Bert', 'answer of Anna'];
let store: string;

beforeAll(async () => {
  store = scratchFolder();
  const flow = await openFlow({ flowName: 'Eval', storage: store });
  const judge = flow.cachedTask({ name: 'judge', version: '1', run: (text: string) => text.length });
  for (const label of LABELS) await judge(label, { runId: 'r', label });
  await flow.task({ runId: 'r', stepName: 'plain', taskId: '0' }, (task) => task.saveArtifacts({ x: 1 }));
  const open = await flow.createTaskDataStore({
    runId: 'r',
    stepName: 'open',
    taskId: '0',
    label: 'still anna',
  });
  expect(open.isClosed).toBe(false);
});

describe('labels', () => {
  it('are shown beside names, and found', async () => {
    const tree = await stowage(store, ['show', 'Eval/r']);
    for (const label of LABELS) expect(tree.stdout).toContain(label);
    const [, , task] = /(├|└)─ ([0-9a-f]{20}) {2}question of Bert/.exec(tree.stdout) ?? [];
    const one = await stowage(store, ['show', `Eval/r/judge/${task}`]);
    expect(one.stdout).toContain(`Eval/r/judge/${task}  question of Bert`);
    const listed = await stowage(store, ['ls', 'Eval/r/judge']);
    expect(listed.stdout).toMatch(/^TASK +LABEL +STATUS/);
    expect((await stowage(store, ['ls', 'Eval/r/plain'])).stdout).not.toContain('LABEL');
    const found = await stowage(store, ['ls', 'Eval/r', '--label', 'anna']);
    expect(
      found.stdout
        .split('\n')
        .flatMap((line) => /\w+ of Anna|still anna/.exec(line) ?? [])
        .sort(),
    ).toEqual(['answer of Anna', 'question of Anna', 'still anna']);
    const open = await json(store, ['ls', 'Eval/r', '--label', 'anna', '--status', 'open']);
    expect(open).toMatchObject({ total: 5, more: 0, entries: [{ step: 'open', label: 'still anna' }] });
    const none = await stowage(store, ['ls', 'Eval/r/judge', '--label', 'Carl', '--status', 'done']);
    expect(none.stderr).toContain('none of 3 tasks is done and has a label with "Carl"');
    const few = await json(store, ['ls', 'Eval/r', '--label', 'ANNA', '-n', '1']);
    expect(few).toMatchObject({ total: 5, more: 2 });
  });

  it('are shown whole in a narrow terminal, below the name', async () => {
    const { stdout } = await stowage(store, ['show', 'Eval/r'], { columns: 40 });
    expect(stdout).toMatch(/─ [0-9a-f]{20} +done.*\n.*├─ question of Bert\n/);
    for (const label of LABELS) expect(stdout).toContain(label);
  });

  it('are in JSON', async () => {
    const tree = (await json(store, ['show', 'Eval/r'])) as {
      steps: { step: string; tasks: { attempts: { label?: string }[] }[] }[];
    };
    const judged = tree.steps.find(({ step }) => step === 'judge')?.tasks ?? [];
    expect(judged.map(({ attempts }) => attempts[0]?.label).sort()).toEqual([...LABELS].sort());
    expect(tree.steps.find(({ step }) => step === 'plain')?.tasks[0]?.attempts[0]).not.toHaveProperty(
      'label',
    );
  });

  it.each([
    [['ls', '--label', 'x']],
    [['ls', 'Eval', '--label', 'x']],
    [['ls', 'Eval/r/open/0', '--label', 'x']],
    [['ls', 'Eval/r', '--label', '']],
  ])('are looked for among tasks only: %j', async (args) => {
    const { code, stderr } = await stowage(store, args);
    expect(code).toBe(2);
    expect(stderr).toContain('--label');
  });
});
