import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { makeCache } from '../cli/cache-fixture.ts';
import { makeStore, noise, RUN, scratchFolder, stowage } from '../cli/fixture.ts';

/** What docs/cli.md says of `--json`: every member that a document has is named in the section of its command, or of one that it refers to. */
const page = readFileSync(join(import.meta.dirname, '../../docs/cli.md'), 'utf8');
const sections = new Map(
  page.split(/^## /m).map((section) => [/^`stowage ((?:cache )?\w+)/.exec(section)?.[1] ?? '', section]),
);
/** Run, Artifact and Attempt, and Entry, are told there. */
const SHARED = ['runs', 'ls', 'cache ls'];
/** What is in these is of the user, or of an error. */
const OPAQUE = new Set([
  'parameters',
  'metadata',
  'value',
  'error',
  'cause',
  'details',
  'unreadable',
  'parts',
  'places',
]);

function membersOf(value: unknown, found = new Set<string>()): Set<string> {
  if (Array.isArray(value)) for (const item of value) membersOf(item, found);
  else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      found.add(name);
      if (!OPAQUE.has(name)) membersOf(member, found);
    }
  }
  return found;
}

/** The code in a section: members in prose are no promise. */
function codeOf(section = ''): string {
  const blocks = section.match(/^ {4}.*$/gm) ?? [];
  return [...blocks, ...(section.replace(/^ {4}.*$/gm, '').match(/`[^`]+`/g) ?? [])].join('\n');
}

const folder = scratchFolder();
const elsewhere = join(folder, 'elsewhere');
const cached = join(folder, 'cached');
let store: string;
let key: string;

beforeAll(async () => {
  store = await makeStore(folder);
  await using flow = await FlowDataStore.open({ flowName: 'Far', storage: elsewhere });
  for (const [runId, parents] of [
    ['r1', []],
    ['r2', ['Far/r1']],
  ] as const) {
    const run = await flow.createRun({ runId, parents, rawDataPath: join(folder, 'raw') });
    await flow.task({ runId, stepName: 'fit', taskId: '0' }, async (task) => {
      await task.saveArtifacts({
        large: noise(300_000, runId.length),
        rows: [{ id: runId, x: 1 }],
        note: runId,
      });
      await task.saveLogs('task', { stdout: 'a line\n' });
      task.report('said').text('x');
    });
    if (runId === 'r2') await run.finish('failed', { error: new Error('boom', { cause: 'why' }) });
  }
  writeFileSync(join(folder, 'input.txt'), 'text');
  await flow.createRun({ runId: 'coded', code: { path: folder, include: ['*.txt'] } });
  await flow.createTaskDataStore({ runId: 'r4', stepName: 'fit', taskId: '0' });
  ({ first: key } = await makeCache(cached));
});

describe('docs/cli.md names every member of the JSON of', () => {
  it.each(
    [
      ['runs'],
      ['ls'],
      ['ls', '--long'],
      ['ls', 'Far'],
      ['ls', 'Far/r1'],
      ['ls', 'Far/r1/fit'],
      ['ls', 'Far/r1/fit/0'],
      ['ls', 'Far/r1/fit/0/0'],
      ['show', 'Far/r2'],
      ['show', 'Far/r1/fit/0'],
      ['show', RUN],
      ['ls', `${RUN}/fit`],
      ['show', `${RUN}/fit/drama/0`],
      ['get', 'Far/r1/fit/0', 'large'],
      ['get', 'Far/r1/fit/0', '-d', 'FOLDER'],
      ['get', 'Far/r1/fit', 'note', '--format', 'json'],
      ['put', 'Far/r3/fit/0', 'a=FILE'],
      ['finish', 'Far/r4', '--error', 'why'],
      ['log', 'Far/r1'],
      ['report', 'Far/r1/fit/0'],
      ['code', 'Far/coded'],
      ['code', 'Far/coded', '-o', 'CODE'],
      ['show', 'Far/coded'],
      ['diff', 'Far/r1', 'Far/r2'],
      ['diff', 'Far/r1/fit/0', 'Far/r2/fit/0'],
      ['stat'],
      ['uploads'],
      ['cache', 'ls'],
      ['cache', 'stats'],
      ['cache', 'show', 'KEY'],
      ['cache', 'explain', 'KEY'],
      ['cache', 'evict', '--all'],
      ['completion', 'bash'],
    ].map((words) => [words.join(' '), words] as const),
  )('%s', async (_, words) => {
    const name = words[0] === 'cache' ? words.slice(0, 2).join(' ') : words[0];
    const args = words.map((word) =>
      word
        .replace('KEY', key)
        .replace('FILE', join(folder, 'input.txt'))
        .replace('CODE', join(folder, 'code'))
        .replace('FOLDER', join(folder, 'files')),
    );
    const of =
      words[0] === 'cache' ? cached : words.includes(RUN) || words[1]?.startsWith(RUN) ? store : elsewhere;
    const { stdout, stderr } = await stowage(of, [...args, '--json']);
    expect(stderr).toBe('');
    const told = [name, ...SHARED].map((one) => codeOf(sections.get(one as string))).join('\n');
    const untold = [...membersOf(JSON.parse(stdout))].filter(
      (member) => !new RegExp(`\\b${member}\\b`).test(told),
    );
    expect(untold).toEqual([]);
  });
});
