import { mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { FlowDataStore, type OpenTaskDataStore } from '../../src/index.ts';
import { noise, scratchFolder, stowage } from '../cli/fixture.ts';

/**
 * What docs/cli.md shows of a command, behind a `$`, is what the command writes on a store like the one that it was shown for. Times,
 * sizes, and how wide columns are, may differ.
 */
const page = readFileSync(join(import.meta.dirname, '../../docs/cli.md'), 'utf8');
const [FIRST, SECOND] = ['2026-01-31T08:00:00Z', '2026-02-01T08:00:00Z'] as const;
const base = scratchFolder();

const transcripts = [...page.matchAll(/^ {4}\$ (stowage .*)\n((?: {4}.*\n|\n(?= {4}))*)/gm)].map(
  ([, command = '', output = '']) => ({ command, output: output.replace(/^ {4}/gm, '') }),
);

type Work = (task: OpenTaskDataStore) => Promise<unknown>;
const diverges: Work = () => Promise.reject(new RangeError('diverged'));
const saves =
  (artifacts: Record<string, unknown>): Work =>
  (task) =>
    task.saveArtifacts(artifacts);

/** Makes a run of the flow Train of these attempts, by step and task. */
async function makeRun(
  store: string,
  runId: string,
  attempts: readonly (readonly [string, Work])[],
  parameters = { epochs: 3 },
): Promise<void> {
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
  const run = await flow.createRun({ runId, tags: ['demo', 'nightly'], parameters });
  for (const [task, work] of attempts) {
    const [stepName = '', taskId = ''] = task.split('/');
    await flow.task({ runId, stepName, taskId }, work).catch((error: unknown) => {
      if (!(error instanceof RangeError)) throw error;
    });
  }
  await run.finish();
}

const raw = noise(1_500_000);
const note = 'loaded from example.org\n\n';
const weights = new Float64Array(noise(400_000, 2).slice().buffer);
const load: Work = async (task) => {
  await task.saveArtifacts({ raw, note });
  await task.saveLogs('task', { stdout: 'loading\n', stderr: 'a warning\n' });
};
const fit = saves({ weights, metrics: { auc: 0.91 } });
/** What JSON has no word for is told by its size. */
const drama = saves({ metrics: { auc: Number.NaN } });

/** The elements of `rows`, and of the 50,000 weights the first of which every 1,000th is greater by `step`. */
function compared(count: number, auc: number, changed: number, step: number): Record<string, unknown> {
  const rows = Array.from({ length: count }, (_, i) => ({ id: `r${i}`, x: i * 1.5 }));
  (rows[50] as { x: number }).x += changed;
  const values = Float64Array.from({ length: 50_000 }, (_, i) => i / 8 + (i % 1_000 === 0 ? step : 0));
  return { weights: values, metrics: { auc, epochs: 3, loss: 1 }, rows };
}

const DAY_MS = 86_400_000;

/** Runs a cached task once, some days ago. */
async function cached(
  store: string,
  { runId, version, prompt, days }: { runId: string; version: string; prompt: string; days: number },
): Promise<void> {
  const cache = { nowMs: () => Date.now() - days * DAY_MS };
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store, cache });
  const judge = flow.cachedTask({
    name: 'judge',
    version,
    config: { temperature: 0 },
    run: async (input: { prompt: string; of: { id: number } }) => ({ verdict: `${input.prompt} Yes.` }),
  });
  await judge.detailed({ prompt, of: { id: 1 } }, { runId });
}

/** Two results of version 3 of the task `judge`, and one of version 4; their keys are the same each time. */
async function makeCache(store: string): Promise<void> {
  await cached(store, { runId: 'r7', version: '3', prompt: 'Is it so?', days: 40 });
  await cached(store, { runId: 'r7', version: '3', prompt: 'Is it?', days: 39 });
  await cached(store, { runId: 'r8', version: '4', prompt: 'Is it so?', days: 0.1 });
}

/** Two tasks of a step as they are followed: one that is done, and one that fails. */
async function makeFollowed(store: string): Promise<void> {
  const trains: Work = (task) => task.saveLogs('task', { stdout: 'epoch 11\nepoch 12\n' });
  const fails: Work = async (task) => {
    await task.saveLogs('task', { stderr: 'a warning\n' });
    return diverges(task);
  };
  await makeRun(store, 'r9', [
    ['fit/0', trains],
    ['fit/1', fails],
  ]);
}

/** 60 runs that save the same, and one of 8 tasks, in which one attempt failed. */
async function makeManyRuns(store: string): Promise<void> {
  const ids = Uint32Array.from({ length: 325_000 }, (_, i) => i);
  const smaller = saves({ metrics: { auc: 0.9 }, loss: 1 });
  await makeRun(store, FIRST, [
    ['load/0', saves({ raw, note, ids })],
    ['fit/2', fit],
    ...['fit/3', 'fit/4', 'fit/5'].map((task) => [task, smaller] as const),
    ['fit/drama', diverges],
    ['fit/drama', drama],
    ['report/0', saves({ best: 2 })],
    ['report/1', saves({})],
  ]);
  await using other = await FlowDataStore.open({ flowName: 'Other', storage: store });
  const bytes = noise(1_500_000, 3);
  for (let i = 0; i < 60; i++) {
    const task = { runId: `r${i}`, stepName: 'only', taskId: '0' };
    await other.task(task, (one) => one.saveArtifacts({ bytes, rows: 1 }));
  }
}

/** Two runs that load the same, and judge by a cached task, of whose results five are the same. */
async function makeFigured(store: string): Promise<void> {
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
  const judge = flow.cachedTask({
    name: 'judge',
    version: '1',
    run: (input: number) => noise(4_000, input + 1),
  });
  for (const [runId, from] of [
    [FIRST, 0],
    [SECOND, 1],
  ] as const)
    await makeRun(store, runId, [
      ['load/0', load],
      ...Array.from({ length: 6 }, (_, at): readonly [string, Work] => [
        `judge/${at}`,
        () => judge(from + at, { runId, recordHit: true }),
      ]),
    ]);
}

/** What a process left that died, 9 days ago. */
async function makeLeftUpload(store: string): Promise<void> {
  await makeRun(store, 'r1', []);
  const file = join(store, '.stowage-tmp', '5b2c1f0e9d8a7b6c5d4e3f20-7');
  mkdirSync(join(store, '.stowage-tmp'), { recursive: true });
  writeFileSync(file, noise(2_000_000));
  const begun = (Date.now() - 9 * DAY_MS) / 1000;
  utimesSync(file, begun, begun);
}

/** A run with something of most kinds that are kept. */
async function makeKinds(store: string): Promise<void> {
  await using flow = await FlowDataStore.open({ flowName: 'Eval', storage: store });
  const project = scratchFolder();
  writeFileSync(join(project, 'judge.js'), noise(12_000, 9));
  await flow.createRun({ runId: 'r1', code: project });
  await flow.task({ runId: 'r1', stepName: 'judge', taskId: '0' }, async (task) => {
    const answers = await task.files.fromData('answers.jsonl', noise(3_000_000, 4));
    await task.saveArtifacts({ answers, scores: noise(7_000_000, 5) });
    task.report('scores').text('How good are they?');
  });
  await flow
    .task({ runId: 'r1', stepName: 'fit', taskId: '0' }, async (task) => {
      await task.saveArtifacts({ x: 1 });
      await task.checkpoint.save(noise(1_200_000, 6));
      throw new RangeError('diverged');
    })
    .catch((error: unknown) => {
      if (!(error instanceof RangeError)) throw error;
    });
}

/** Content that nobody needs any more. */
async function makeReleased(store: string): Promise<void> {
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
  const [saved] = await flow.caStore.saveBlobs([raw]);
  if (saved) await flow.caStore.release(saved.session);
}

const CACHE_COMMANDS = [
  'stowage cache ls',
  'stowage cache show 878d96ba',
  'stowage cache explain 3f7753c9',
  'stowage cache evict --task judge --older-than 30d',
  'stowage cache stats',
];

/** Makes the store of each command. */
const STORES: Readonly<Record<string, (store: string) => Promise<void>>> = {
  'stowage erase Train/r1/load/0/faces': async (store) => {
    for (const run of ['r1', 'r2'])
      await makeRun(store, run, [['load/0', saves({ faces: noise(300_000, 7) })]]);
  },
  'stowage runs Train': (store) => makeRun(store, FIRST, []),
  'stowage runs Train --figures': makeFigured,
  [`stowage ls Train/${FIRST}/fit`]: (store) =>
    makeRun(store, FIRST, [
      ['fit/2', fit],
      ['fit/10', fit],
      ['fit/drama', diverges],
      ['fit/drama', drama],
    ]),
  [`stowage show Train/${FIRST}`]: (store) =>
    makeRun(store, FIRST, [
      ['load/0', load],
      ['fit/2', saves({ weights })],
      ['fit/drama', diverges],
      ['fit/drama', drama],
    ]),
  'stowage get Train/r7/load/0 -d load': (store) => makeRun(store, 'r7', [['load/0', load]]),
  'stowage get Eval/r1/judge --format csv': async (store) => {
    await using flow = await FlowDataStore.open({ flowName: 'Eval', storage: store });
    const answers = [
      { input: 'What is a pack?', output: { score: 0.9, by: { model: 'm-2' } } },
      { input: 'Who pins it?', output: { score: 0.4 } },
    ];
    for (const [index, artifacts] of answers.entries())
      await flow.task({ runId: 'r1', stepName: 'judge', taskId: `q${index + 1}` }, saves(artifacts));
    const failing = flow.task({ runId: 'r1', stepName: 'judge', taskId: 'q3' }, diverges);
    await failing.catch((error: unknown) => {
      if (!(error instanceof RangeError)) throw error;
    });
  },
  'stowage finish Train/r8': async (store) => {
    await using flow = await FlowDataStore.open({ flowName: 'Train', storage: store });
    await flow.task({ runId: 'r8', stepName: 'load', taskId: '0' }, load);
  },
  'stowage copy .stowage mirror Train': (store) =>
    makeRun(store, FIRST, [
      ['load/0', load],
      ['fit/2', fit],
      ['fit/drama', diverges],
      ['fit/drama', drama],
    ]),
  [`stowage log Train/${FIRST} --stream stderr`]: (store) => makeRun(store, FIRST, [['load/0', load]]),
  [`stowage diff Train/${FIRST}/fit/2 Train/${SECOND}/fit/2`]: async (store) => {
    await makeRun(store, FIRST, [['fit/2', saves(compared(100, 0.91, 0, 0))]]);
    await makeRun(store, SECOND, [['fit/2', saves({ ...compared(101, 0.93, 1, 0.001), seed: 1 })]]);
  },
  [`stowage diff Train/${FIRST} Train/${SECOND}`]: async (store) => {
    const same = ['load/0', 'fit/0', 'fit/1'].map((task) => [task, saves({ x: 1 })] as const);
    await makeRun(store, FIRST, [
      ...same,
      ['fit/2', saves({ metrics: { auc: 0.91 } })],
      ['fit/drama', diverges],
    ]);
    const other = saves({ metrics: { auc: 0.93 } });
    const tasks = [...same, ['fit/2', other], ['fit/drama', drama], ['fit/new', saves({ x: 2 })]] as const;
    await makeRun(store, SECOND, tasks, { epochs: 4 });
  },
  'stowage log Train/r9/fit -f -n 1': makeFollowed,
  'stowage stat': makeManyRuns,
  'stowage stat Eval': makeKinds,
  'stowage pin Train/r8 --reason best': (store) => makeRun(store, 'r8', []),
  'stowage rm Train/r8': (store) => makeRun(store, 'r8', [['fit/0', saves({ x: 1 })]]),
  'stowage gc --keep-last 1': async (store) => {
    for (const [index, runId] of ['r1', 'r2'].entries())
      await makeRun(store, runId, [['fit/0', saves({ x: noise(70_000, index + 1) })]]);
  },
  'stowage gc': makeReleased,
  'stowage fsck': makeReleased,
  'stowage uploads': makeLeftUpload,
  'stowage put Train/r8/load/0 raw=raw.bin notes=notes.md --metadata source=s3://bucket/raw --tag imported':
    async () => {},
  ...Object.fromEntries(CACHE_COMMANDS.map((command) => [command, makeCache])),
};

/** Lines without what differs each time. */
function normal(text: string): string[] {
  const same = text
    .replace(/\b\d+(\.\d+)? (ms|s|min|h|d)( ago)?(?!\w)|\bjust now\b|\bnow\b/g, '<time>')
    .replace(/\b\d+(\.\d+)? [kMG]?B\b/g, '<size>')
    .replaceAll('<size> -> <size>', '<size>');
  return same
    .split('\n')
    .map((line) => line.replace(/ +/g, ' ').trim())
    .filter((line) => line !== '');
}

describe('the transcripts of docs/cli.md', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('are all run', () => {
    const commands = transcripts.map(({ command }) => command);
    expect(commands.sort()).toEqual(Object.keys(STORES).sort());
  });

  it.each(transcripts)('$command', async (transcript) => {
    const { command, output } = transcript;
    const folder = join(base, String(transcripts.indexOf(transcript)));
    mkdirSync(folder);
    vi.stubEnv('STOWAGE_INDEXES', folder);
    const store = join(folder, 'store');
    await STORES[command]?.(store);
    writeFileSync(join(folder, 'raw.bin'), raw);
    writeFileSync(join(folder, 'notes.md'), `${'read me '.repeat(262)}\n`);
    const args = command.split(' ').slice(1);
    const places: Record<string, string> = {
      '.stowage': store,
      load: join(folder, 'load'),
      mirror: join(folder, 'mirror'),
      'raw=raw.bin': `raw=${join(folder, 'raw.bin')}`,
      'notes=notes.md': `notes=${join(folder, 'notes.md')}`,
    };
    const located = args.map((arg) => places[arg] ?? arg);
    const { code, stdout, stderr } = await stowage(args[0] === 'copy' ? undefined : store, located);
    expect(code, stderr).toBe(command.includes('--format csv') ? 3 : 0); // a task that failed is left out
    // Remarks go elsewhere than what is written.
    const shown = normal(output);
    const isRemark = (line: string): boolean => line.startsWith('stowage: ');
    expect(normal(stdout.replaceAll(`${folder}/`, ''))).toEqual(shown.filter((line) => !isRemark(line)));
    const said = stderr.replaceAll(pathToFileURL(store).href, 'file:///data/.stowage');
    expect(normal(said)).toEqual(shown.filter(isRemark));
  });
});
