import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore, type OpenTaskDataStore, StowageError } from '../../src/index.ts';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { json, noise, scratchFolder, stowage } from './fixture.ts';

const folder = scratchFolder();
const store = join(folder, 'store');

/**
 * Two runs: `load/0` (a table, bytes, a text), `fit/2` and `fit/10` (metrics), `fit/drama` (done, then failed again), `end/<7 or 8>`, and
 * `fit/new`, in the second run only.
 */
beforeAll(async () => {
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
  for (const [second, runId] of [
    [0, 'r1'],
    [1, 'r2'],
  ] as const) {
    const task = (
      stepName: string,
      taskId: string,
      work: (task: OpenTaskDataStore) => Promise<void>,
    ): Promise<void> => flow.task({ runId, stepName, taskId }, work);
    const run = await flow.createRun({
      runId,
      tags: ['nightly', second ? 'b' : 'a'],
      parameters: { epochs: 3 + second, data: { seed: 1 } },
    });
    await task('load', '0', async (open) => {
      const raw = noise(40_000, 7);
      if (second) raw.set([1, 2, 3], 30_000);
      const rows = [
        { id: 'a', x: 1 },
        { id: 'b', x: 2 },
      ].concat(second ? [{ id: 'c', x: 3 }] : []);
      await open.saveArtifacts({ raw, rows, note: `one\ntwo\nthree ${second}\n`, same: 'same' });
      await open.saveMetadata({ seconds: 1 + second, host: 'x' });
    });
    for (const taskId of ['2', '10']) {
      await task('fit', taskId, (open) =>
        open.saveArtifacts({
          metrics: { auc: 0.91 + (second * (taskId === '2' ? 2 : 0)) / 100 },
          ...(second && taskId === '2' ? { seed: 1 } : {}),
          ...(second || taskId === '10' ? {} : { old: 'bye' }),
        }),
      );
    }
    await task('fit', 'drama', (open) => open.saveArtifacts({ metrics: { auc: 0.5 } }));
    await task('fit', 'drama', () => Promise.reject(new RangeError('diverged'))).catch(() => {});
    await task('end', second ? '8' : '7', (open) => open.saveArtifacts({ ok: second === 0 }));
    if (second) await task('fit', 'new', (open) => open.saveArtifacts({ a: 1 }));
    await run.finish();
  }
});

it('tells many tasks of a step that one side alone has in one row, and each with --details', async () => {
  const many = join(folder, 'many');
  const flow = await FlowDataStore.open({ flowName: 'F', storage: many });
  const tasks = Array.from({ length: 13 }, (_, index) => String(index));
  const saved = (runId: string, stepName: string, taskId: string) =>
    flow.task({ runId, stepName, taskId }, async (task) => {
      if (stepName === 'judge' && taskId === '7') throw new Error('no answer');
      await task.saveArtifacts({ score: runId + taskId });
    });
  await Promise.all(tasks.map((taskId) => saved('r1', 'judge', taskId).catch(() => {})));
  for (const runId of ['r1', 'r2']) await saved(runId, 'report', '0');
  await saved('r2', 'few', '0');
  await flow.close();
  const { stdout } = await stowage(many, ['diff', 'F/r1', 'F/r2']);
  expect(stdout).toMatch(/^judge +13 tasks +removed +12 done, 1 failed$/m);
  expect(stdout).toMatch(/^few +0 +added +done, 1 artifact$/m);
  expect(stdout).toMatch(/^report +0 +score +changed/m);
  expect(stdout.match(/^judge/gm)).toHaveLength(1);
  const detailed = (await stowage(many, ['diff', 'F/r1', 'F/r2', '--details'])).stdout;
  expect(detailed.match(/^judge +\d+ +removed/gm)).toHaveLength(13);
  expect((await json(many, ['diff', 'F/r1', 'F/r2'])).tasks).toHaveLength(15);

  const cut = await json(many, ['diff', 'F/r1', 'F/r2', '--tasks', '4']);
  expect([cut.tasks.length, cut.more, cut.different]).toEqual([4, 11, true]);
  const { stderr } = await stowage(many, ['diff', 'F/r1', 'F/r2', '--tasks', '4', '--details']);
  expect(stderr).toContain('11 tasks more differ: --tasks all.');
});

it('tells how a value changed in a narrow terminal as well', async () => {
  const narrow = join(folder, 'narrow');
  const flow = await FlowDataStore.open({ flowName: 'Train', storage: narrow });
  const runs = ['2026-12-01T08:00:00.000Z', '2026-12-02T08:00:00.000Z'];
  for (const [index, runId] of runs.entries()) {
    const artifacts = { metrics: { auc: 0.9 + index / 100 }, weights: Float64Array.of(index, 1, 2) };
    await flow.task({ runId, stepName: 'fit', taskId: 'drama' }, (task) => task.saveArtifacts(artifacts));
  }
  await flow.close();
  const args = ['diff', ...runs.map((run) => `Train/${run}`)];
  for (const columns of [80, 40]) {
    const { stdout } = await stowage(narrow, args, { columns });
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(columns);
    expect(stdout).toMatch(/metrics +changed\s+auc: 0\.9 -> 0\.91 +\(\+0\.01\)/);
    expect(stdout.match(/\bHOW\b/g)).toHaveLength(1);
  }
});

describe('stowage diff of two tasks', () => {
  it('tells which artifacts changed, and how', async () => {
    const { code, stdout, stderr } = await stowage(store, ['diff', 'Train/r1/load/0', 'Train/r2/load/0']);
    expect(stdout).toBe(`\
---  Train/r1/load/0/0  done
+++  Train/r2/load/0/0  done

ARTIFACT  CHANGE   SIZE          TYPE
raw       changed  40.0 kB       Uint8Array
rows      changed  19 B -> 28 B  array
note      changed  16 B          string

Changes
  raw: 3 of 40,000 bytes differ, the first at 30,000
  rows: 2 -> 3 rows: 1 added
+ rows[id="c"]: {"id": "c", "x": 3}
  note: 1 line removed, 1 added
    @@ -1 +1 @@
     one
     two
    -three 0
    +three 1

Metadata
  seconds: 1 -> 2  (+1)
`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'stowage: 1 artifact is the same.\n' });
  });

  it('shows small values that came or went', async () => {
    const { stdout } = await stowage(store, ['diff', 'Train/r1/fit/2', 'Train/r2/fit/2']);
    expect(stdout).toMatch(/^old +removed +3 B +string\n[\s\S]*^seed +added +1 B +number$/m);
    expect(stdout).toMatch(
      /^Changes\n {2}metrics\.auc: 0\.91 -> 0\.93 {2}\(\+0\.02\)\n- old: "bye"\n\+ seed: 1\n$/m,
    );
  });

  it('takes the latest attempt that is done, or the one that is named', async () => {
    const latest = await stowage(store, ['diff', 'Train/r1/fit/drama', 'Train/r2/fit/drama']);
    expect(latest).toMatchObject({
      code: 0,
      stdout: '',
      stderr: 'stowage: no differences: 1 artifact is the same.\n',
    });
    const named = await stowage(store, ['diff', 'Train/r1/fit/drama/0', 'Train/r1/fit/drama/1']);
    expect(named.stdout).toMatch(
      /^--- {2}Train\/r1\/fit\/drama\/0 {2}done\n\+\+\+ {2}Train\/r1\/fit\/drama\/1 {2}failed$/m,
    );
    expect(named.stdout).toMatch(/^metrics +removed/m);
  });

  it('ends with 1 for differences only if asked to', async () => {
    const different = ['diff', 'Train/r1/fit/2', 'Train/r2/fit/2'];
    const same = ['diff', 'Train/r1/fit/10', 'Train/r2/fit/10'];
    expect((await stowage(store, different)).code).toBe(0);
    expect((await stowage(store, [...different, '--exit-code'])).code).toBe(1);
    expect((await stowage(store, [...different, '--exit-code', '--json'])).code).toBe(1);
    expect((await stowage(store, [...same, '--exit-code'])).code).toBe(0);
  });

  it('bounds what it loads and shows', async () => {
    const args = ['diff', 'Train/r1/load/0', 'Train/r2/load/0'];
    const { stdout } = await stowage(store, [...args, '--max-bytes', '10kB']);
    expect(stdout).toContain('  raw: not compared: 40.0 kB are more than --max-bytes 10.0 kB\n');
    const { tasks } = await json(store, [...args, '--limit', '1']);
    const [, rows, note] = tasks[0].artifacts;
    expect(rows.how).toMatchObject({ kind: 'table', total: 1, changes: [{ path: '[id="c"]' }] });
    expect(note.how.hunks[0].lines.filter((line: string) => /^[+-]/.test(line))).toEqual(['-three 0']);
  });

  it('--json: a document', async () => {
    const document = await json(store, ['diff', 'Train/r1/fit/2', 'Train/r2/fit/2']);
    expect(document).toEqual({
      a: 'Train/r1/fit/2',
      b: 'Train/r2/fit/2',
      kind: 'tasks',
      different: true,
      tasks: [
        {
          a: { path: 'Train/r1/fit/2/0', status: 'done' },
          b: { path: 'Train/r2/fit/2/0', status: 'done' },
          change: 'changed',
          same: 0,
          artifacts: [
            {
              name: 'metrics',
              change: 'changed',
              a: expect.objectContaining({ name: 'metrics', type: 'object', inline: true }),
              b: expect.objectContaining({ name: 'metrics' }),
              how: {
                kind: 'parts',
                total: 1,
                changes: [{ path: 'auc', change: 'changed', a: 0.91, b: 0.93 }],
                text: 'auc: 0.91 -> 0.93  (+0.02)',
              },
            },
            { name: 'old', change: 'removed', a: expect.objectContaining({ name: 'old', bytes: 3 }) },
            { name: 'seed', change: 'added', b: expect.objectContaining({ name: 'seed' }) },
          ],
          metadata: { total: 0, changes: [] },
          error: { total: 0, changes: [] },
        },
      ],
    });
  });

  it('names what does not exist, and what cannot be compared', async () => {
    for (const [a, b, code, said] of [
      ['Train/r1/fit/3', 'Train/r2/fit/2', 1, 'Step Train/r1/fit has no task 3.'],
      ['Train/r1/fit/2', 'Train/r2/fitt/2', 1, 'Did you mean fit?'],
      ['Train/r1', 'Train/r2/fit', 2, 'name two runs, two steps, or two tasks'],
      ['Train', 'Train', 2, 'Train is a flow; its runs: stowage runs Train'],
    ] as const) {
      const { code: exit, stdout, stderr } = await stowage(store, ['diff', a, b]);
      expect({ exit, stdout }, `${a} ${b}`).toEqual({ exit: code, stdout: '' });
      expect(stderr).toContain(said);
    }
    const args = ['diff', 'Train/r1/fit/2', 'Train/r2/fit/2'];
    expect((await stowage(store, [...args, '--max-bytes', 'ten'])).stderr).toContain(
      '--max-bytes is a size such as 500kB',
    );
    expect((await stowage(store, [...args, '--limit', '0'])).code).toBe(2);
  });
});

it('tells by which errors two tasks failed, unless by the same', async () => {
  const failed = join(folder, 'failed');
  const flow = await FlowDataStore.open({ flowName: 'F', storage: failed });
  for (const [runId, error] of Object.entries({
    a: new RangeError('diverged'),
    b: new RangeError('out of range'),
    c: new RangeError('diverged'),
  }))
    await flow.task({ runId, stepName: 's', taskId: '0' }, () => Promise.reject(error)).catch(() => {});
  await flow.close();
  const { code, stdout, stderr } = await stowage(failed, ['diff', '--exit-code', 'F/a/s/0', 'F/b/s/0']);
  expect([code, stderr]).toEqual([1, expect.not.stringContaining('no differences')]);
  expect(stdout).toMatch(/\n\s*Error\n\s+message: "diverged" -> "out of range"/);
  const { tasks } = await json(failed, ['diff', 'F/a/s/0', 'F/b/s/0']);
  expect(tasks[0].error).toMatchObject({ total: 1, changes: [{ path: 'message', change: 'changed' }] });
  const same = await stowage(failed, ['diff', '--exit-code', 'F/a/s/0', 'F/c/s/0']);
  expect([same.code, same.stderr]).toEqual([0, expect.stringContaining('no differences')]);
});

it('compares the rows of data frames, to a bound', async () => {
  const frames = join(folder, 'frames');
  await using flow = await FlowDataStore.open({ flowName: 'F', storage: frames });
  const days = (count: number, shift: number): { id: number; day: Date; x: number }[] =>
    Array.from({ length: count }, (_, id) => ({
      id,
      day: new Date(86_400_000 * id),
      x: id === 3 ? shift : id,
    }));
  for (const [runId, count, shift] of [
    ['r1', 50, 0],
    ['r2', 51, 7],
  ] as const)
    await flow.task({ runId, stepName: 'load', taskId: '0' }, async (task) => {
      await task.saveArtifacts({ frame: await task.frames.fromRows(days(count, shift)) });
    });
  const args = ['diff', 'F/r1/load/0', 'F/r2/load/0'];
  const { stdout } = await stowage(frames, args);
  expect(stdout).toMatch(/frame: 50 -> 51 rows: 1 added, 1 changed in x\n/);
  const { tasks } = await json(frames, args);
  expect(tasks[0].artifacts[0].how).toMatchObject({
    kind: 'table',
    key: 'id',
    sideBySide: {
      columns: ['id', 'day', 'x'],
      rows: [
        { change: 'changed', a: 3, b: 3, cells: [['3'], ['"1970-01-04T00:00:00.000Z"'], ['0', '7']] },
        { change: 'added', b: 50, cells: [['50'], ['"1970-02-20T00:00:00.000Z"'], ['50']] },
      ],
    },
  });
  const bounded = await stowage(frames, [...args, '--max-bytes', '100']);
  expect(bounded.stdout).toMatch(/frame: not compared: .* are more than --max-bytes 100 B/);
});

describe('stowage diff of two runs', () => {
  it('is a table of what changed, with the first of the changes', async () => {
    const { code, stdout, stderr } = await stowage(store, ['diff', 'Train/r1', 'Train/r2']);
    expect(code).toBe(0);
    expect(stdout.replace(/, (just now|\d+ s ago)$/gm, '')).toBe(`\
---  Train/r1  done
+++  Train/r2  done

Run
- tags: "a"
+ tags: "b"
  parameters.epochs: 3 -> 4  (+1)

STEP  TASK    ARTIFACT  CHANGE   HOW
end   7 -> 8  ok        changed  true -> false
fit   2       metrics   changed  auc: 0.91 -> 0.93  (+0.02)
fit   2       old       removed  "bye"
fit   2       seed      added    1
fit   new               added    done, 1 artifact
load  0       raw       changed  3 of 40,000 bytes differ, the first at 30,000
load  0       rows      changed  2 -> 3 rows: 1 added
load  0       note      changed  1 line removed, 1 added
`);
    expect(stderr).toBe(
      'stowage: 2 tasks are the same.\nstowage: all changes: --details. Metadata differs in 1 task.\n',
    );
  });

  it('--brief tells what their own records tell, without a look at tasks', async () => {
    const { code, stdout, stderr } = await stowage(store, ['diff', 'Train/r1', 'Train/r2', '--brief']);
    expect(stdout.replace(/, (just now|\d+ s ago)$/gm, '')).toBe(`\
---  Train/r1  done
+++  Train/r2  done

Run
- tags: "a"
+ tags: "b"
  parameters.epochs: 3 -> 4  (+1)
`);
    const note = 'stowage: their tasks are compared without --brief.\n';
    expect({ code, stderr }).toEqual({ code: 0, stderr: note });
    const brief = await json(store, ['diff', 'Train/r1', 'Train/latest', '--brief']);
    const whole = await json(store, ['diff', 'Train/r1', 'Train/r2']);
    expect(Object.keys(brief)).toEqual(['a', 'b', 'kind', 'runs', 'run']);
    expect(brief).toMatchObject({ a: 'Train/r1', b: 'Train/r2', kind: 'runs', run: whole.run });
    const { runs } = await json(store, ['runs', 'Train']);
    expect([brief.runs.b, brief.runs.a]).toEqual(runs);
    const equal = await stowage(store, ['diff', 'Train/r1', 'Train/r1', '--brief']);
    expect(equal.stderr).toContain('the records of both runs are equal');
  });

  it('--brief is for runs that there are, and tells nothing of tasks', async () => {
    for (const args of [
      ['Train/r1/fit', 'Train/r2/fit'],
      ['Train/r1', 'Train/r2', '--details'],
      ['Train/r1', 'Train/r2', '--exit-code'],
    ]) {
      const { code, stderr } = await stowage(store, ['diff', ...args, '--brief']);
      expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('--brief') });
    }
    const gone = await stowage(store, ['diff', 'Train/r1', 'Train/r9', '--brief']);
    expect(gone.stderr).toMatch(/Flow Train has no run r9/);
  });

  it('--details shows all changes', async () => {
    const { stdout, stderr } = await stowage(store, ['diff', 'Train/r1', 'Train/r2', '--details']);
    expect(stdout).toMatch(/^fit\/2\n {2}metrics\.auc: 0\.91 -> 0\.93/m);
    expect(stdout).toMatch(
      /^load\/0\n {2}raw: [\s\S]*^ {4}-three 0$[\s\S]*^Metadata of load\/0\n {2}seconds: 1 -> 2/m,
    );
    expect(stderr).not.toContain('--details');
  });

  it('compares two steps', async () => {
    const { kind, same, tasks } = await json(store, ['diff', 'Train/r1/fit', 'Train/r2/fit']);
    expect({ kind, same }).toEqual({ kind: 'steps', same: 2 });
    expect(tasks.map(({ a, b }: { a?: object; b?: object }) => [a, b])).toEqual([
      [
        { path: 'Train/r1/fit/2/0', status: 'done' },
        { path: 'Train/r2/fit/2/0', status: 'done' },
      ],
      [undefined, { path: 'Train/r2/fit/new/0', status: 'done' }],
    ]);
  });

  it('compares two steps by their tasks, whatever the steps are called, and what became of these', async () => {
    await using flow = await FlowDataStore.open({ flowName: 'Steps', storage: store });
    for (const [stepName, x] of [
      ['a', 1],
      ['b', 2],
    ] as const) {
      await flow.task({ runId: 'r', stepName, taskId: '0' }, (task) => task.saveArtifacts({ x }));
      const second = flow.task({ runId: 'r', stepName, taskId: '1' }, () => {
        if (x === 2) throw new Error('no');
      });
      await second.catch(() => {});
    }
    const { stdout } = await stowage(store, ['diff', 'Steps/r/a', 'Steps/r/b']);
    expect(stdout).toMatch(
      /^a -> b +0 +x +changed +1 -> 2 {2}\(\+1\)\na -> b +1 +changed +done -> failed\n$/m,
    );
  });

  it('--json: what is recorded of the runs, too', async () => {
    const { different, run, same, tasks } = await json(store, ['diff', 'Train/r1', 'Train/r2']);
    expect({ different, same }).toEqual({ different: true, same: 2 });
    expect(run.changes).toEqual([
      { path: 'tags', change: 'removed', a: 'a' },
      { path: 'tags', change: 'added', b: 'b' },
      { path: 'parameters.epochs', change: 'changed', a: 3, b: 4 },
    ]);
    expect(tasks.map(({ change }: { change: string }) => change)).toEqual([
      'changed',
      'changed',
      'added',
      'changed',
    ]);
  });

  it('a run is not different from itself', async () => {
    const same = await stowage(store, ['diff', 'Train/r1', 'Train/r1', '--exit-code']);
    expect(same).toMatchObject({
      code: 0,
      stdout: '',
      stderr: 'stowage: no differences: 5 tasks are the same.\n',
    });
  });

  it('metadata that differs is shown, and is no difference for scripts', async () => {
    await using flow = await FlowDataStore.open({ flowName: 'Timed', storage: store });
    for (const runId of ['r1', 'r2']) {
      await flow.task({ runId, stepName: 's', taskId: '0' }, async (task) => {
        await task.saveArtifacts({ a: 1 });
        await task.saveMetadata({ host: runId });
      });
    }
    const { code, stderr } = await stowage(store, ['diff', 'Timed/r1', 'Timed/r2', '--exit-code']);
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: 'stowage: 1 task is the same.\nstowage: all changes: --details. Metadata differs in 1 task.\n',
    });
  });
});

describe('stowage diff of what cannot be read', () => {
  function copyOfStore(name: string): string {
    const copy = join(folder, name);
    cpSync(store, copy, { recursive: true });
    return copy;
  }

  it('content that was given up: sizes and keys tell that it differs', async () => {
    const copy = copyOfStore('purged');
    writeFileSync(join(copy, 'flows/Train/r1/load/0/0.PURGED'), '');
    const { code, stdout } = await stowage(copy, ['diff', 'Train/r1/load/0', 'Train/r2/load/0']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/raw: The content of artifact raw .* was given up by retention/);
    expect(stdout).toContain('rows: 2 -> 3 rows: 1 added'); // its value is part of the description
  });

  it('damaged content is told as that', async () => {
    const copy = copyOfStore('damaged');
    const data = join(copy, 'data');
    const [large] = readdirSync(data, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.\d+$/.test(name) && readFileSync(join(data, name)).length > 30_000)
      .map((name) => join(data, name));
    const bytes = readFileSync(large as string);
    bytes[20_000] = (bytes[20_000] as number) ^ 1;
    rmSync(large as string);
    writeFileSync(large as string, bytes);
    const { code, stdout, stderr } = await stowage(copy, ['diff', 'Train/r1/load/0', 'Train/r2/load/0']);
    expect(code).toBe(12);
    expect(stdout).toMatch(/raw: .*damaged/);
    expect(stdout).toContain('rows: 2 -> 3 rows: 1 added');
    expect(stderr).toMatch(/damaged/);
  });

  it('a value that nobody here can decode', async () => {
    const copy = copyOfStore('undecodable');
    const serializers = new SerializerRegistry();
    serializers.register({
      id: 'own',
      priority: 500,
      accepts: (value) => value instanceof StowageError,
      serialize: (value) => ({ type: 'Own', bytes: new TextEncoder().encode((value as Error).message) }),
      deserialize: () => undefined,
    });
    await using flow = await FlowDataStore.open({ flowName: 'Own', storage: copy, serializers });
    for (const runId of ['r1', 'r2']) {
      await flow.task({ runId, stepName: 's', taskId: '0' }, (task) =>
        task.saveArtifacts({ own: new StowageError('ABORTED', runId) }),
      );
    }
    const { code, stdout } = await stowage(copy, ['diff', 'Own/r1/s/0', 'Own/r2/s/0']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/own: Artifact "own" was written by the serializer "own"/);
  });
});
