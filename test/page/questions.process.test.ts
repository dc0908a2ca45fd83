import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { servePage } from '../../bench/served-page.mjs';
import { type Answer, type Asked, addressOf } from '../../src/page/asked.ts';
import { FOLLOWED, QUESTIONS } from '../../src/page/questions.ts';
import {
  codeFrom,
  filesFrom,
  lastLines,
  logTail,
  previewed,
  shown,
  shownArtifact,
  stepsOf,
  tasksFrom,
} from '../../src/page/view-questions.ts';
import { stowageProcess } from '../cli/program-process.ts';
import { HOSTILE, makeShownStore } from './shown-store.ts';

const RUN = 'Train/r1';
const FIT = `${RUN}/fit/0/0`;
const LOAD = { pathspec: `${RUN}/load/0/0`, artifact: 'parts' };
const HOSTILE_RUN = HOSTILE.slice(0, 2).join('/');

/** What the views ask, and each option that they may give. `<key>` stands for the key of an entry of the cache, `<content>` for that of a content. */
const CASES: readonly Asked[] = [
  { command: 'runs' },
  { command: 'runs', args: ['Train'], options: { limit: '2', status: 'done', since: '30d' } },
  { command: 'runs', options: { tag: ['exp', 'rate 0.1'], text: 'epochs' } },
  { command: 'runs', options: { before: 'Train/r2', limit: '100' } },
  { command: 'runs', options: { figures: true, 'no-update': true } },
  { command: 'runs', options: { figures: true } },
  { command: 'runs', options: { text: HOSTILE[0] } },
  { command: 'ls' },
  { command: 'ls', args: [RUN], options: { status: 'failed' } },
  tasksFrom(RUN, 0),
  tasksFrom(RUN, 3),
  tasksFrom('Train/r3', 0), // it is open
  tasksFrom('Train/j2', 0), // hits of the cache
  tasksFrom(HOSTILE_RUN, 0),
  { command: 'show', args: [`${RUN}/fit`], options: { brief: true, reads: true, offset: '0', limit: '100' } },
  stepsOf(RUN),
  stepsOf('Train/r3'),
  stepsOf('Train/j2'),
  stepsOf(HOSTILE_RUN),
  { command: 'show', args: [RUN], options: { limit: '1' } },
  { command: 'show', args: [`${RUN}/flaky/0`], options: { attempt: '0' } },
  shown(`${RUN}/flaky/0`),
  shown(FIT),
  shown('Train/none/fit/0'),
  shownArtifact(FIT, 'auc'),
  codeFrom(RUN, 0),
  codeFrom(RUN, 1),
  codeFrom('Train/r2', 0), // made without
  lastLines(RUN),
  logTail(LOAD.pathspec, { source: 'task', stream: 'stderr' }),
  { command: 'log', args: [`${RUN}/load/0`], options: { attempt: '0', tail: '1' } },
  previewed(LOAD),
  filesFrom(LOAD, 1),
  previewed({ ...LOAD, entry: 'a.txt' }),
  ...['weights', 'auc', 'deep', 'list', 'page', 'notes', 'blanks', 'nothing'].map((artifact) =>
    previewed({ pathspec: FIT, artifact }),
  ),
  {
    command: 'preview',
    args: [LOAD.pathspec, 'frame'],
    options: { offset: '4000', limit: '100' },
  },
  { command: 'diff', args: [RUN, 'Train/r2'], options: { details: true, tasks: '200', limit: '5' } },
  { command: 'diff', args: [RUN, 'Train/r2'], options: { brief: true } },
  { command: 'stat', options: { by: 'run', limit: '2' } },
  { command: 'stat', args: ['Train'], options: { by: 'artifact', limit: '500' } },
  { command: 'gc', options: { limit: '500' } },
  { command: 'fsck', options: { quick: true, limit: '200' } },
  { command: 'published' },
  { command: 'published', options: { limit: '200', offset: '0' } },
  { command: 'published', options: { of: FIT, limit: '1' } },
  { command: 'cache ls', options: { limit: '200', task: 'judge', scope: 'flow Train', since: '1d' } },
  { command: 'cache ls', options: { 'older-than': '1d' } },
  { command: 'cache ls', options: { limit: '2', offset: '1' } },
  { command: 'cache show', args: ['<key>'] },
  { command: 'cache explain', args: ['<key>'] },
  { command: 'cache stats', options: { figures: true, 'no-update': true } },
  { command: 'cache stats' },
  {
    command: 'find',
    args: ['Train'],
    options: { artifact: 'auc', step: 'fit', limit: '60', metadata: 'auc' },
  },
  { command: 'find', options: { key: '<content>', 'all-attempts': true, limit: '50' } },
  { command: 'find', options: { type: 'number', tag: ['exp'], status: 'done', since: '1d' } },
  { command: 'lineage', args: [FIT], options: { up: 'all', down: 'all', limit: '1000' } },
  { command: 'lineage', args: [FIT], options: { down: '1', limit: '200' } },
  { command: 'du', options: { by: 'flow', limit: '200' } },
  { command: 'du', args: ['Train'], options: { by: 'run', limit: '200' } },
];

describe('what the page is answered', () => {
  let folder: string;
  let store: string;
  let env: Record<string, string>;
  let served: Awaited<ReturnType<typeof servePage>>;
  const names: Record<string, string> = {};

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-page-'));
    store = await makeShownStore(folder);
    env = { STOWAGE_INDEXES: join(folder, 'indexes') };
    await told({ command: 'index' });
    await told({ command: 'publish', args: [FIT, 'auc', 'best'] });
    const { result: cache } = await told({ command: 'cache ls' });
    names['<key>'] = (cache as { entries: { key: string }[] }).entries[0]?.key ?? '';
    const { result: ls } = await told({ command: 'ls', args: [FIT] });
    names['<content>'] = (ls as { entries: { key: string }[] }).entries[0]?.key ?? '';
    served = await servePage(store, [], env);
  });
  afterAll(async () => {
    await served?.end();
    await rm(folder, { recursive: true, force: true });
  });

  /** What the command prints, in a process of its own, given as people give it. */
  async function told({ command, args = [], options = {} }: Asked): Promise<Answer> {
    const { stdout, stderr } = await stowageProcess(
      store,
      [...argvOf({ command, args, options }), '--json'],
      env,
    );
    return {
      ...(stdout === '' ? {} : { result: JSON.parse(stdout) }),
      ...(stderr === '' ? {} : { error: JSON.parse(stderr).error }),
    };
  }

  function argvOf({ command, args = [], options = {} }: Asked): string[] {
    const given = Object.entries(options).flatMap(([name, value]) =>
      (Array.isArray(value) ? value : [value]).flatMap((one) =>
        one === true ? [`--${name}`] : [`--${name}`, one as string],
      ),
    );
    return [...command.split(' '), ...args, ...given];
  }

  /** With the keys of this store. */
  function named({ command, args = [], options = {} }: Asked): Asked {
    const of = (text: string): string => names[text] ?? text;
    const key = options.key === undefined ? {} : { key: of(String(options.key)) };
    return { command, args: args.map(of), options: { ...options, ...key } };
  }

  /** The index is caught up anew by whoever asks it. */
  function withoutClock({ result, error }: Answer): Answer {
    const { caughtUpAt: _, ...rest } = (result ?? {}) as Record<string, unknown>;
    return { ...(result === undefined ? {} : { result: rest }), ...(error ? { error } : {}) };
  }

  it.each(CASES.map((asked) => [addressOf(asked), asked] as const))(
    'to %s is what the command prints with --json',
    async (_, asked) => {
      const question = named(asked);
      const response = await fetch(`${served.url}api/${addressOf(question)}`);
      const answer = withoutClock((await response.json()) as Answer);
      expect(answer).toEqual(withoutClock(await told(question)));
      expect(answer.error?.code ?? '').not.toMatch(/^(?:USAGE|REFUSED|INVALID_)/);
    },
  );

  it('has a case of each question, and of each of its options', () => {
    const asked = Object.fromEntries(Object.keys(QUESTIONS).map((command) => [command, new Set<string>()]));
    for (const { command, options = {} } of CASES)
      for (const name of Object.keys(options)) asked[command]?.add(name);
    for (const [command, options] of Object.entries(QUESTIONS)) {
      expect(
        CASES.some((one) => one.command === command),
        command,
      ).toBe(true);
      expect([command, [...(asked[command] ?? [])].sort()]).toEqual([command, [...options].sort()]);
    }
  });

  it('as it comes is what the command prints as it comes', async () => {
    expect(Object.keys(FOLLOWED)).toEqual(['log']);
    const { stdout } = await stowageProcess(store, [...argvOf(lastLines(RUN)), '--follow', '--json'], env);
    const response = await fetch(`${served.url}follow/${addressOf(lastLines(RUN))}`);
    const lines = (text: string): string[] => text.trimEnd().split('\n').sort();
    expect(stdout).toContain('loaded');
    expect(lines(await response.text())).toEqual(lines(stdout));
  });
});
