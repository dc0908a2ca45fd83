import { mkdirSync, writeFileSync } from 'node:fs';
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

const run = `${NAME}/${NAME}`;
const at = `${run}/${NAME}/${NAME}`;
const scratch = scratchFolder();
const store = join(scratch, 's');
let key: string;

beforeAll(async () => {
  const flow = await FlowDataStore.open({ flowName: NAME, storage: store });
  const code = join(scratch, 'code');
  mkdirSync(code);
  writeFileSync(join(code, NAME), TEXT);
  const run = await flow.createRun({ runId: NAME, tags: [TEXT], parameters: { [TEXT]: TEXT }, code });
  await run.pin({ reason: NAME });
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
    one.report('safe', { title: NAME }).text(TEXT);
    await one.saveArtifacts({ file: await one.files.fromData(NAME, Buffer.from(TEXT)) });
  });
  await flow.task({ ...task, taskId: 'other' }, (one) =>
    one.saveArtifacts({ [NAME]: { [TEXT]: 1 }, text: `${TEXT}2`, rows: [{ [TEXT]: 2 }] }),
  );
  await flow.publish(NAME, {
    task: `${NAME}/${NAME}/${NAME}`,
    artifact: NAME,
    description: TEXT,
    attributes: { [TEXT]: TEXT },
  });
  await run.finish('failed', { error: new Error(TEXT) });
  const cached = flow.cachedTask({ name: NAME, version: TEXT, run: (x: object) => ({ [TEXT]: x }) });
  for (const value of [TEXT, NAME]) await cached({ [TEXT]: value }, { runId: 'cached' });
  await flow.close();
  const { stdout } = await stowage(store, ['cache', 'ls', '--json']);
  key = JSON.parse(stdout).entries[0].key;
});

describe('what a terminal gets', () => {
  const COMMANDS: string[][] = [
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
    ['cache', 'show', 'KEY'],
    ['cache', 'explain', 'KEY'],
    ['copy', store, join(scratch, `copy-${NAME}`)],
    ['runs', '--text', TEXT],
    ['preview', at, NAME],
    ['preview', at, 'text'],
    ['preview', at, 'rows'],
    ['preview', at, 'file'],
    ['report', at],
    ['code', run],
    ['published'],
    ['published', NAME],
    ['index'],
    ['find'],
    ['find', NAME, '--tag', TEXT],
    ['find', '--metadata', `${NAME}=${TEXT}`],
    ['lineage', at],
    ['du'],
    ['du', run],
    ['sql', 'select * from runs'],
    ['sql', 'select * from metadata'],
    ['sql', `select '${TEXT.replaceAll('\0', '')}' as "${NAME}"`],
    ['rm', run],
    ['rm', `${at}/${NAME}`],
    ['erase', `${at}/${NAME}`, '--reason', TEXT],
    ['gc', '--keep-last', '1'],
    ['fsck'],
    ['fsck', run],
    ['pin', run, '--reason', NAME],
    ['unpin', run],
    ['policy', 'show'],
    ['policy', 'set', '--keep-tag', TEXT],
    ['policy', 'show'],
    ['uploads'],
    ['finish', run],
    ['cache', 'evict', NAME],
    ['publish', at, NAME, NAME],
    ['put', `${NAME}/put/${NAME}/0`, `${NAME}=${join(scratch, 'code', NAME)}`],
  ];
  const MISTAKES: string[][] = [
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
    ['published', `${NAME}x`],
    ['report', at, `${NAME}x`],
    ['preview', at, `${NAME}x`],
    ['sql', TEXT],
    ['find', `${NAME}x`],
    ['find', '--metadata', TEXT],
    ['lineage', `${NAME}x/${NAME}`],
    ['rm', `${run}x`],
    ['erase', TEXT],
    ['gc', '--keep-last', TEXT],
    ['fsck', `${NAME}x`],
    ['pin', `${run}x`],
    ['finish', `${run}x`],
  ];

  afterEach(() => vi.unstubAllEnvs());

  async function expectSafe(args: string[]): Promise<void> {
    // A bar, which comes where a command takes long, moves the cursor.
    vi.stubEnv('CI', 'true');
    const isCopy = args[0] === 'copy';
    const all = args.map((arg) => (arg === 'KEY' ? key : arg));
    const running = startStowage(isCopy ? undefined : store, all, { isTerminal: true });
    await running.ended;
    const { text } = running.stdout;
    const printed = text + running.stderr.text;
    expect(printed).not.toBe('');
    // Line ends and tabs move the cursor no further than any text; carriage returns of logs stay as well.
    const shown = printed.replace(args[0] === 'log' ? /[\t\r\n]/g : /\r?\n|\t/g, '');
    const unsafe = UNSAFE.exec(shown.replaceAll('👩‍👩‍👧', ''));
    expect(unsafe && JSON.stringify(shown)).toBeNull();
    if (args.includes('--json') && text !== '' && args[0] !== 'log') JSON.parse(text);
  }

  it.each(COMMANDS.map((args) => [args]))('is safe, with --json as well: %j', async (args) => {
    await expectSafe(args);
    if (args[0] !== 'copy') await expectSafe([...args, '--json']);
  });

  it.each(MISTAKES.map((args) => [args]))(
    'is safe after a mistake, with --debug as well: %j',
    async (args) => {
      for (const options of [[], ['--json'], ['--debug']]) await expectSafe([...args, ...options]);
    },
  );

  it('is tried of all commands but those that serve a browser or a shell', async () => {
    const { stdout } = await stowage(undefined, ['--help']);
    const names = [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name as string);
    const tried = new Set(COMMANDS.map(([name]) => name));
    expect(names.filter((name) => !tried.has(name) && name !== 'stowage')).toEqual([
      ...['ui', 'completion', 'help'],
    ]);
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
