import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FlowDataStore } from '../../src/index.ts';

/** The parts of a store of {@link makeBulkyStore}, by their paths. */
export const BULKY = {
  run: 'Bulky/r2',
  /** Of 5,000 artifacts, long metadata, two attempts before it that failed by a long error. */
  task: 'Bulky/r2/many/0',
  /** Of lines that are longer than an answer. */
  logged: 'Bulky/r2/log/long',
  /** A run whose code is 4,000 files of long names. */
  coded: 'Bulky/code',
} as const;

export const BULKY_ARTIFACTS = 5_000;
export const BULKY_RUNS = 13;
export const BULKY_LOGS = 40;
export const BULKY_PUBLISHED = 300;
const TAGS = Array.from({ length: 50 }, (_, index) => `tag-${index}`);
const LONG = 'a "long" text é\n\u0007'.repeat(90_000);

/** A store whose runs, tasks, logs, entries of the cache and published versions are larger each than an answer of the page. */
export async function makeBulkyStore(storage: string): Promise<void> {
  await using flow = await FlowDataStore.open({ flowName: 'Bulky', storage });
  await makeCode(flow);
  for (let run = 2; run < 1 + BULKY_RUNS; run++)
    await flow.createRun({
      runId: `r${run}`,
      parameters: run % 2 === 0 ? { note: LONG } : namesOf(20_000, 'parameter'),
      tags: TAGS,
    });
  await makeTask(flow);
  await makeLogs(flow);
  await makePublished(flow);
}

async function makeCode(flow: FlowDataStore): Promise<void> {
  const code = await mkdtemp(join(tmpdir(), 'stowage-test-code-'));
  try {
    for (let file = 0; file < 4_000; file++)
      await writeFile(join(code, `${String(file).padStart(4, '0')}-${'name'.repeat(45)}.ts`), '');
    await flow.createRun({ runId: 'code', code, tags: TAGS });
  } finally {
    await rm(code, { recursive: true });
  }
}

async function makeTask(flow: FlowDataStore): Promise<void> {
  const spec = { runId: 'r2', stepName: 'many', taskId: '0' };
  for (let failed = 0; failed < 2; failed++)
    await flow
      .task(spec, async (task) => {
        await task.saveMetadata({ failed, note: LONG });
        throw new RangeError(`too far: ${LONG}`, { cause: new TypeError(LONG) });
      })
      .catch((error: unknown) => {
        if (!(error instanceof RangeError)) throw error;
      });
  await flow.task(spec, async (task) => {
    task.report('long', { title: 'a report that is longer than an answer' }).text(LONG);
    await task.saveArtifacts(namesOf(BULKY_ARTIFACTS, 'artifact'));
    await task.saveMetadata({ ...namesOf(5_000, 'metadata'), note: LONG });
  });
}

async function makeLogs(flow: FlowDataStore): Promise<void> {
  for (let number = 0; number < BULKY_LOGS; number++)
    await flow.task({ runId: 'r2', stepName: 'log', taskId: String(number) }, (task) =>
      task.saveLogs('task', { stdout: `${`line of ${number} `.repeat(40)}\n`.repeat(150) }),
    );
  await flow.task({ runId: 'r2', stepName: 'log', taskId: 'long' }, (task) =>
    task.saveLogs('task', { stdout: `first\n${`${LONG.replaceAll('\n', ' ')}\n`.repeat(4)}last\n` }),
  );
}

async function makePublished(flow: FlowDataStore): Promise<void> {
  await flow.task({ runId: 'r3', stepName: 'model', taskId: '0' }, (task) =>
    task.saveArtifacts({
      ...{ model: 'a model', other: 'another' },
      huge: Array.from({ length: 40_000 }, (_, index) => `${index} `.repeat(100)),
    }),
  );
  for (let number = 0; number < BULKY_PUBLISHED; number++)
    await flow.publish(`name-${String(number).padStart(4, '0')}`, {
      task: 'r3/model/0',
      artifact: number === 0 ? 'other' : 'model',
      description: 'described at length '.repeat(200),
    });
}

/**
 * Adds so many entries of the cache, whose scope is long, and two whose keys are made of 5,000 places and differ in all of them. Resolves to
 * the key of the last.
 */
export async function addEntries(storage: string, entries: number): Promise<string> {
  await using flow = await FlowDataStore.open({ flowName: 'Bulky', storage });
  const scope = 'scope '.repeat(40).trim();
  const small = flow.cachedTask({ name: 'small', version: '1', scope, run: async (input: number) => input });
  for (let number = 0; number < entries; number++) await small(number);
  const wide = flow.cachedTask({
    name: 'wide',
    version: '1',
    run: async (input: Record<string, string>) => Object.keys(input).length,
  });
  await wide(namesOf(5_000, 'place'));
  return (await wide.detailed(namesOf(5_000, 'other'))).key;
}

function namesOf(count: number, word: string): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`${word}-${index}`, `${word} number ${index} of ${count}`]),
  );
}
