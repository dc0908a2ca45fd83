import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  BULKY,
  BULKY_ARTIFACTS,
  BULKY_LOGS,
  BULKY_PUBLISHED,
  BULKY_RUNS,
  makeBulkyStore,
} from './bulky-store.ts';
import { json, makeStore, RUN, scratchFolder, stowage } from './fixture.ts';
import { startStowage } from './running.ts';

const folder = scratchFolder();
const store = join(folder, 'bulky');
const FIT = 200_000;

beforeAll(async () => {
  await makeBulkyStore(store);
}, 60_000);

/** The document of a command that has to fit, which it does. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at what is in it
async function fitted(args: readonly string[], maxBytes = FIT): Promise<any> {
  const { code, stdout, stderr, bytes } = await stowage(store, [...args, '--json', `--fit=${maxBytes}`]);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  expect(bytes.length).toBeLessThanOrEqual(maxBytes);
  expect((await stowage(store, [...args, '--json'])).bytes.length).toBeGreaterThan(maxBytes);
  return JSON.parse(stdout);
}

describe('--fit', () => {
  it('leaves what fits as it is', async () => {
    const small = await makeStore(folder);
    for (const args of [
      ['runs'],
      ['show', RUN],
      ['show', `${RUN}/fit/drama`],
      ['log', `${RUN}/load/0`],
      ['ls'],
    ])
      expect(await json(small, [...args, '--fit', '1MB']), args.join(' ')).toEqual(await json(small, args));
  });

  it('is a size for --json, in which there is room', async () => {
    for (const args of [
      ['--fit', '1MB'],
      ['--json', '--fit', '1kB'],
      ['--json', '--fit', 'much'],
    ]) {
      const { code, stderr } = await stowage(store, ['runs', ...args]);
      expect(code, args.join(' ')).toBe(2);
      expect(stderr).toContain('--fit is');
    }
  });

  it('of runs: each is there with its own share, and --before goes on behind the last', async () => {
    const { runs, unread, total } = await fitted(['runs', 'Bulky']);
    expect(total).toBe(BULKY_RUNS);
    expect([runs.length, unread]).toEqual([BULKY_RUNS, 0]);
    for (const { tags } of runs) expect(tags).toHaveLength(50);
    const first = await fitted(['runs', 'Bulky'], 20_000);
    expect(first.runs.length).toBeGreaterThan(0);
    expect(first.runs.length + first.unread).toBe(BULKY_RUNS);
    const last = first.runs.at(-1);
    const behind = await fitted(['runs', 'Bulky', '--before', `Bulky/${last.run}`], 20_000);
    expect(behind.runs[0].run).toBe(runs[first.runs.length].run);
  });

  it('of a run in brief: a page has its tasks beside its long parameters', async () => {
    const pages = [];
    let next: number | undefined = 0;
    while (next !== undefined) {
      const { stdout } = await stowage(store, [
        'show',
        BULKY.run,
        '--brief',
        `--offset=${next}`,
        '--json',
        '--fit=20000',
      ]);
      expect(Buffer.byteLength(stdout)).toBeLessThanOrEqual(20_000);
      pages.push(JSON.parse(stdout));
      next = pages.at(-1).next;
    }
    expect(pages.length).toBeLessThan(5);
    const tasks = pages.flatMap(({ steps }) => steps.flatMap((step: { tasks: unknown[] }) => step.tasks));
    expect(tasks).toHaveLength(2 + BULKY_LOGS);
    expect(pages[0].parameters.note).toMatch(/… \([\d,]+ bytes more\)$/);
  });

  it('of a task: the attempt that is shown has the room, and an artifact is asked for by itself', async () => {
    const { attempts, attempt, cut } = await fitted(['show', BULKY.task]);
    expect([attempts.length, attempt]).toEqual([3, 2]);
    expect(attempts[0]).toMatchObject({ attempt: 0, status: 'failed', artifacts: [] });
    const { artifacts, metadata } = attempts[2];
    expect(artifacts.length).toBeGreaterThan(200);
    expect(Object.keys(metadata).length).toBeGreaterThan(500);
    const told = cut.lists.find(({ at }: { at: string }) => at === 'attempts.2.artifacts');
    expect(told.left).toBe(BULKY_ARTIFACTS - artifacts.length);
    const failed = await fitted(['show', `${BULKY.task}/0`]);
    expect(failed.attempts[0].error.message).toMatch(/^too far: /);
    expect(failed.attempts[0].metadata.note).toMatch(/… \([\d,]+ bytes more\)$/);
    expect(failed.attempts[0].error.cause.name).toBe('TypeError');
    const last = await json(store, ['show', BULKY.task, '--artifact', `artifact-${BULKY_ARTIFACTS - 1}`]);
    expect(last.attempts[2].artifacts.map(({ name }: { name: string }) => name)).toEqual([
      `artifact-${BULKY_ARTIFACTS - 1}`,
    ]);
  });

  it('of logs: the last lines of each, long ones cut', async () => {
    const { logs } = await fitted(['log', BULKY.logged, '--tail', '5'], 1_000_000);
    const lines = logs[0].text.split('\n');
    expect(logs[0].isCut).toBe(true);
    expect(lines).toHaveLength(6);
    for (const line of lines.slice(0, 4)) expect(line).toMatch(/^a "long" text é .*… \([\d,]+ bytes more\)$/);
    expect(lines.slice(-2)).toEqual(['last', '']);
    const all = await fitted(['log', 'Bulky/r2/log']);
    expect(all.logs).toHaveLength(BULKY_LOGS + 1);
    for (const { task, text } of all.logs)
      if (task !== 'long') expect(text).toMatch(/^… \([\d,]+ bytes before\)\nline of [\s\S]*\n$/);
    const few = await fitted(['log', 'Bulky/r2/log'], 20_000);
    expect(few.more).toBe(BULKY_LOGS + 1 - few.logs.length);
  });

  it('of logs that are followed: what is there already fits, and what does not is counted', async () => {
    for (const [path, maxBytes] of [
      ['Bulky/r2/log/long', FIT],
      ['Bulky/r2', FIT],
      ['Bulky/r2', 20_000],
    ] as const) {
      const args = ['log', path, '--follow', '--json', `--fit=${maxBytes}`];
      const running = startStowage(store, args);
      const isOver = path === 'Bulky/r2/log/long';
      await Promise.race([running.ended, running.stdout.has('"task":"9"'), running.stdout.has('last\\n')]);
      if (!isOver) await running.stdout.has('last\\n');
      running.interrupt();
      await running.ended;
      const { text } = running.stdout;
      expect(Buffer.byteLength(text), path).toBeLessThanOrEqual(maxBytes);
      expect(Buffer.byteLength(text)).toBeGreaterThan(isOver ? 4_000 : maxBytes / 3);
      const pieces = text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
      const left = pieces.find((piece) => 'left' in piece)?.left ?? 0;
      const tasks = new Set(pieces.flatMap(({ task }) => (task === undefined ? [] : [task])));
      if (!isOver) expect(tasks.size + left).toBe(1 + BULKY_LOGS);
    }
  });

  it('of published versions: page by page, and of one artifact alone', async () => {
    const names: string[] = [];
    let next: number | undefined = 0;
    while (next !== undefined) {
      const page = JSON.parse(
        (await stowage(store, ['published', `--offset=${next}`, '--json', `--fit=${FIT}`])).stdout,
      );
      names.push(...page.published.map(({ name }: { name: string }) => name));
      next = page.next;
    }
    const all = await json(store, ['published']);
    expect(names).toEqual(all.published.map(({ name }: { name: string }) => name));
    expect(names).toHaveLength(BULKY_PUBLISHED);
    const of = async (path: string): Promise<number> =>
      (await json(store, ['published', '--of', path])).published.length;
    expect(await of('Bulky/r3/model/0/0/other')).toBe(1);
    expect(await of('Bulky/r3/model/0/0/oth')).toBe(0);
    expect(await of('Bulky/r3/')).toBe(BULKY_PUBLISHED);
    expect((await json(store, ['published', '--limit', '10', '--offset', '295'])).published).toHaveLength(5);
    expect(await json(store, ['published', '--limit', '10'])).toMatchObject({ next: 10 });
    const misused = await stowage(store, ['published', 'name-0001/1', '--limit', '3']);
    expect(misused.code).toBe(2);
  });
});
