import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { scratchFolder, stowage } from './fixture.ts';
import { startStowage } from './running.ts';

/** Control characters, what turns text around, and what takes no width. */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\u00ad]/u;
/** What names may hold: all but controls. */
const NAME = 'n\u202e\u200b\ufeff漢👩‍👩‍👧';
const TEXT = `${NAME} \x1b]0;title\x07\x9b31m\u009d0;t\u009c\x7f\r\t\n\u2028`;

const scratch = scratchFolder();
const store = join(scratch, 's');
let key: string;

beforeAll(async () => {
  const flow = await FlowDataStore.open({ flowName: NAME, storage: store });
  const run = await flow.createRun({ runId: NAME, tags: [TEXT], parameters: { [TEXT]: TEXT } });
  const task = { runId: NAME, stepName: NAME, taskId: NAME };
  const fails = async (): Promise<void> => {
    const error = new Error(TEXT, { cause: new AggregateError([new Error(TEXT)], TEXT) });
    error.name = TEXT;
    throw error;
  };
  await flow.task(task, fails).catch(() => {});
  await flow.task(task, async (one) => {
    await one.saveMetadata({ [TEXT]: TEXT });
    await one.saveArtifacts({ [NAME]: { [TEXT]: TEXT }, text: TEXT, rows: [{ [TEXT]: TEXT }] });
    await one.saveLogs('task', { stdout: TEXT });
  });
  await flow.task({ ...task, taskId: 'other' }, (one) =>
    one.saveArtifacts({ [NAME]: { [TEXT]: 1 }, text: `${TEXT}2`, rows: [{ [TEXT]: 2 }] }),
  );
  await run.finish('failed', { error: new Error(TEXT) });
  const cached = flow.cachedTask({ name: NAME, version: TEXT, run: (x: object) => ({ [TEXT]: x }) });
  for (const value of [TEXT, NAME]) await cached({ [TEXT]: value }, { runId: 'cached' });
  await flow.close();
  const { stdout } = await stowage(store, ['cache', 'ls', '--json']);
  key = JSON.parse(stdout).entries[0].key;
});

describe('what a terminal gets', () => {
  const run = `${NAME}/${NAME}`;
  const at = `${run}/${NAME}/${NAME}`;
  const commands = (): string[][] => [
    ['runs'],
    ['runs', '--tag', TEXT],
    ['runs', NAME, '--tag', `${TEXT}x`],
    ['ls'],
    ['ls', NAME],
    ['ls', run],
    ['ls', `${run}/${NAME}`],
    ['ls', at],
    ['ls', `${run}/${NAME}`, '--status', 'done'],
    ['get', `${run}/${NAME}`, '--format', 'csv'],
    ['get', `${run}/${NAME}`, '--format', 'json'],
    ['ls', `${at}/1`],
    ['show', run],
    ['show', at],
    ['show', `${at}/0`],
    ['show', `${NAME}/cached`],
    ['diff', at, `${run}/${NAME}/other`],
    ['diff', run, `${NAME}/cached`],
    ['diff', run, `${NAME}/cached`, '--details'],
    ['get', at, NAME],
    ['get', at, 'text'],
    ['get', at, 'rows', '--format', 'csv'],
    ['get', at, 'text', '--format', 'json'],
    ['log', at],
    ['stat', '--by', 'artifact'],
    ['stat', NAME],
    ['cache', 'ls'],
    ['cache', 'stats'],
    ['cache', 'show', key],
    ['cache', 'explain', key],
    ['copy', store, join(scratch, `copy-${NAME}`)],
    // Mistakes.
    ['show', `${run}/${NAME}x`],
    ['show', `${NAME}/zzzzzzzzzz`],
    ['show', NAME],
    ['get', at],
    ['get', at, `${NAME}x`],
    ['get', `${at}/0`, 'x'],
    ['show', `${NAME}/${TEXT}`],
    ['runs', '--status', TEXT],
    [TEXT],
    ['cache', 'show', TEXT],
    ['copy', store, join(scratch, 'copy'), `${NAME}x`],
  ];

  afterEach(() => vi.unstubAllEnvs());

  it('is safe, of every command, with --json and --debug as well', async () => {
    // A bar, which comes where a command takes long, moves the cursor.
    vi.stubEnv('CI', 'true');
    for (const args of commands()) {
      for (const options of [[], ['--json'], ['--debug']]) {
        const isCopy = args[0] === 'copy';
        if (isCopy && options.length > 0) continue;
        const running = startStowage(isCopy ? undefined : store, [...args, ...options], { isTerminal: true });
        await running.ended;
        const { text } = running.stdout;
        const all = text + running.stderr.text;
        expect(all, args.join(' ')).not.toBe('');
        // Line ends and tabs move the cursor no further than any text; carriage returns of logs stay as well.
        const shown = all.replace(args[0] === 'log' ? /[\t\r\n]/g : /\r?\n|\t/g, '');
        const unsafe = UNSAFE.exec(shown.replaceAll('👩‍👩‍👧', ''));
        expect(unsafe && JSON.stringify(shown), args.join(' ')).toBeNull();
        if (options[0] === '--json' && text !== '' && args[0] !== 'log') JSON.parse(text);
      }
    }
  });

  it('--json says the same in a terminal and in a pipe', async () => {
    for (const args of [['show', at], ['get', at, NAME], ['get', at, 'text'], ['ls', run], ['runs']]) {
      const running = startStowage(store, [...args, '--json'], { isTerminal: true });
      expect(await running.ended).toBe(0);
      const { stdout } = await stowage(store, [...args, '--json']);
      expect(JSON.parse(running.stdout.text)).toEqual(JSON.parse(stdout));
      expect(stdout).toContain(NAME);
      expect(running.stdout.text).not.toContain(NAME);
    }
    const failing = startStowage(store, ['show', `${run}/x`, '--json'], { isTerminal: true });
    await failing.ended;
    const { stderr } = await stowage(store, ['show', `${run}/x`, '--json']);
    expect(JSON.parse(failing.stderr.text)).toEqual(JSON.parse(stderr));
  });

  it('a pipe gets the bytes that were stored', async () => {
    expect((await stowage(store, ['get', at, 'text'])).stdout).toBe(TEXT);
    expect((await stowage(store, ['log', at])).stdout).toBe(TEXT);
    const { stdout } = await stowage(store, ['get', at, NAME, '--json']);
    expect(JSON.parse(stdout).value).toEqual({ [TEXT]: TEXT });
    expect(stdout).toContain(JSON.stringify(TEXT));
  });
});
