import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runInNewContext } from 'node:vm';
import { beforeAll, describe, expect, it } from 'vitest';
import { storePage } from '../../src/cli/page/store-page.ts';
import { runCli } from '../../src/cli/run-cli.ts';
import { SharedStore } from '../../src/cli/shared-store.ts';
import { FlowDataStore } from '../../src/index.ts';
import { type Answer, type Asked, addressOf } from '../../src/page/asked.ts';
import { type Exported, type ExportFolder, exportPage } from '../../src/page/export-page.ts';
import { answerFile, contentQuestion } from '../../src/page/exported-answers.ts';
import { lastLines, logTail, previewed, readReads, shown, tasksFrom } from '../../src/page/view-questions.ts';
import { type FaultPlan, FaultStorage } from '../../src/storage/fault.ts';
import type { BriefRun } from '../../src/views/run-brief.ts';
import type { RunView } from '../../src/views/runs.ts';
import { json, makeStore, RUN, scratchFolder } from '../cli/fixture.ts';

const folder = scratchFolder();
const assets = pathToFileURL(join(folder, 'assets/'));
let store: string;

beforeAll(async () => {
  store = await makeStore(folder);
  await mkdir(assets);
  await writeFile(new URL('index.html', assets), '<head>\n<meta charset="utf-8"><script src="page.js">');
  for (const file of ['page.js', 'page.css']) await writeFile(new URL(file, assets), file);
});

/** The files of an export, in memory. */
class Files implements ExportFolder {
  readonly texts = new Map<string, string>();

  async write(path: string, content: string | Uint8Array): Promise<void> {
    expect(this.texts.has(path), path).toBe(false);
    this.texts.set(path, String(content));
  }

  async append(path: string, text: string): Promise<void> {
    this.texts.set(path, (this.texts.get(path) ?? '') + text);
  }

  /** The answer that the page gets. */
  answer(asked: Asked): Answer | undefined {
    let answer: Answer | undefined;
    const stowageAnswer = (address: string, text: string): void => {
      if (address === addressOf(asked)) answer = JSON.parse(text) as Answer;
    };
    runInNewContext(this.texts.get(answerFile(addressOf(asked))) ?? '', { stowageAnswer });
    return answer;
  }
}

async function exported(
  files: Files,
  {
    of = store,
    plan = () => undefined,
    tasksOfRun = Number.POSITIVE_INFINITY,
    onProgress,
  }: { of?: string; plan?: FaultPlan; tasksOfRun?: number; onProgress?: () => void } = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<Exported> {
  const { runs } = (await json(of, ['runs', ...(of === store ? ['Train'] : [])])) as { runs: RunView[] };
  const shared = new SharedStore(of, (opened) => new FaultStorage(opened, plan));
  try {
    return await exportPage(storePage(shared, runCli), files, {
      ...{ runs, tasksOfRun, signal, assets },
      ...(onProgress ? { onProgress } : {}),
    });
  } finally {
    await shared.close();
  }
}

describe('an export', () => {
  it('has the answers that the command line gives', async () => {
    const files = new Files();
    const { tasks, tasksLeftOut, errors, damage } = await exported(files);
    expect({ tasks, tasksLeftOut, errors, damage }).toEqual({
      ...{ tasks: 6, tasksLeftOut: 0, errors: 0, damage: undefined },
    });
    const run = await json(store, ['show', RUN, '--brief']);
    expect(files.answer(tasksFrom(RUN, 0))?.result).toEqual(run);
    for (const path of [`${RUN}/load/0`, `${RUN}/fit/drama/0`])
      expect(files.answer(shown(path))?.result, path).toEqual(await json(store, ['show', path]));
    const { artifacts } = (await json(store, ['show', `${RUN}/load/0`])).attempts[0];
    for (const { name } of artifacts) {
      const place = { pathspec: `${RUN}/load/0/0`, artifact: name };
      expect(files.answer(previewed(place))?.result, name).toEqual(
        await json(store, ['preview', place.pathspec, name]),
      );
    }
  });

  it('has every page of the tasks of a run that takes several', async () => {
    const storage = join(folder, 'wide');
    await using flow = await FlowDataStore.open({ flowName: 'Wide', storage });
    await flow.task({ runId: 'r1', stepName: 'first', taskId: '0' }, () => ({ n: 1 }));
    await Promise.all(
      Array.from({ length: 501 }, (_, at) =>
        flow.task({ runId: 'r1', stepName: 'each', taskId: `${at}` }, () => ({ n: at })),
      ),
    );
    const files = new Files();
    const { tasks, tasksLeftOut, errors } = await exported(files, { of: storage, tasksOfRun: 2 });
    expect({ tasks, tasksLeftOut, errors }).toEqual({ tasks: 2, tasksLeftOut: 500, errors: 0 });
    const pages: BriefRun[] = [];
    for (let next: number | undefined = 0; next !== undefined; next = pages.at(-1)?.next)
      pages.push(files.answer(tasksFrom('Wide/r1', next))?.result as BriefRun);
    const names = pages.flatMap(({ steps }) => steps.flatMap((step) => step.tasks.map(({ task }) => task)));
    expect(pages).toHaveLength(2);
    expect(names).toHaveLength(502);
    expect(new Set(names).size).toBe(501); // two steps have a task 0
    // And what the tasks of its graph read.
    const ask = async (asked: Asked): Promise<Answer<BriefRun>> =>
      (files.answer(asked) ?? {}) as Answer<BriefRun>;
    const { steps } = await readReads(ask, 'Wide/r1/each');
    expect(steps.flatMap((step) => step.tasks)).toHaveLength(200);
  });

  it('says so of what is damaged, and has the rest', async () => {
    const files = new Files();
    const plan: FaultPlan = (operation, name) =>
      operation === 'get' && /fit\/2\/0\.metadata/.test(name) ? { kind: 'flip', bit: 99 } : undefined;
    const { errors, damage } = await exported(files, { plan });
    expect(errors).toBeGreaterThan(0);
    expect(damage?.code).toBe('RECORD_DAMAGED');
    expect(files.answer(shown(`${RUN}/fit/2`))?.error?.code).toBe('RECORD_DAMAGED');
    expect(files.answer(shown(`${RUN}/fit/10`))?.error).toBeUndefined();
  });

  it('has of logs that are too large together as much as 4 MB hold, with long lines cut', async () => {
    const storage = join(folder, 'loud');
    await using flow = await FlowDataStore.open({ flowName: 'Loud', storage });
    for (const taskId of ['0', '1'])
      await flow.task({ runId: 'r1', stepName: 'shout', taskId }, (task) =>
        task.saveLogs('task', { stdout: `${'!'.repeat(25_000)}\n`.repeat(100) }),
      );
    const files = new Files();
    const { errors } = await exported(files, { of: storage });
    expect(errors).toBe(0);
    const all = files.answer(lastLines('Loud/r1'))?.result as { logs: { text: string; isCut?: true }[] };
    expect(all.logs.map(({ isCut }) => isCut)).toEqual([true, true]);
    for (const { text } of all.logs) {
      expect(text.length).toBeLessThan(2_100_000);
      expect(text).toMatch(/^!+… \(4,\d\d\d bytes more\)\n/);
    }
    const tail = logTail('Loud/r1/shout/0/0', { source: 'task', stream: 'stdout' });
    expect(files.answer(tail)?.result).toMatchObject({ logs: [{ bytes: 2_500_100 }] });
  });

  it('ends where the store does not answer any more', async () => {
    const plan: FaultPlan = (_operation, name) => (/fit\/10/.test(name) ? { kind: 'before' } : undefined);
    await expect(exported(new Files(), { plan })).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
  });

  it('ends once it is aborted, and writes nothing more', async () => {
    const ending = new AbortController();
    const files = new Files();
    const aborted = exported(files, { onProgress: () => ending.abort() }, ending.signal);
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' });
    const { size } = files.texts;
    await new Promise(setImmediate);
    expect(files.texts.size).toBe(size);
    expect(files.answer(shown(`${RUN}/load/0`))).toBeUndefined();
  });

  it('has no answer of the content of what is no image', async () => {
    const files = new Files();
    await exported(files);
    expect(files.answer(contentQuestion(`${RUN}/load/0/0`, 'raw', undefined))).toBeUndefined();
  });
});
