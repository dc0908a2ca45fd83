import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Completion, complete } from '../../src/cli/completion/candidates.ts';
import { completionScript, SHELLS } from '../../src/cli/completion/scripts.ts';
import { parseBashLine, quoteForBash } from '../../src/cli/completion/shell-line.ts';
import { buildProgram } from '../../src/cli/program.ts';
import { FlowDataStore, openStorage, registerStorage } from '../../src/index.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { errorOf } from '../flow/fixtures.ts';
import { test } from '../property.ts';
import { makeCache } from './cache-fixture.ts';
import { makeStore, RUN, scratchFolder, stowage } from './fixture.ts';

const BREAKS = ' \t\n"\'><=;|&(:';
const folder = scratchFolder();
let store: string;

beforeAll(async () => {
  store = await makeStore(folder);
  await using flow = await FlowDataStore.open({ flowName: 'it\'s $5 & a"b', storage: store });
  await flow.task({ runId: 'my run', stepName: 's*', taskId: '~' }, (task) =>
    task.saveArtifacts({ 'a b': 1 }),
  );
});

afterEach(() => vi.unstubAllEnvs());

function completions(line: string): Promise<Completion> {
  const { words, current } = parseBashLine(line, BREAKS);
  return complete(words, current, AbortSignal.timeout(10_000));
}

/** What the word at the end of `line` may become, with the store on the line. */
async function valuesFor(line: string, at = store): Promise<string[]> {
  const { candidates } = await completions(
    line.replace('stowage', `stowage --store ${quoteForBash(at, '')}`),
  );
  return candidates.map(({ value }) => value);
}

describe('the line of a shell', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', ' ', ':', '/', "'", '"', '\\', '$', '`', '*', '~', '!', 'é', '漢', '=', '>'),
  });

  test.prop([
    fc.array(
      text.filter((word) => word !== ''),
      { maxLength: 4 },
    ),
    fc.constantFrom('' as const, '"' as const, "'" as const),
  ])('words come back from their quotes, as far as they are typed', (words, quote) => {
    const current = words.pop() ?? '';
    const line = [
      'stowage',
      ...words.map((word) => quoteForBash(word, '')),
      quote + quoteForBash(current, quote),
    ].join(' ');
    const parsed = parseBashLine(line, BREAKS);
    expect(parsed).toMatchObject({ words, current, isRedirected: false });
    expect(parsed.kept).toBeLessThanOrEqual(current.length);
  });

  it('knows where readline begins a word, and what the shell itself takes', () => {
    expect(parseBashLine('stowage show Train/2026-01-31T08:0', BREAKS)).toMatchObject({
      kept: 'Train/2026-01-31T08:'.length,
    });
    expect(parseBashLine('stowage show Train/2026-01-31T08:0', '')).toMatchObject({ kept: 0 });
    expect(parseBashLine('stowage show "Train/2026:', BREAKS)).toMatchObject({ kept: 0, quote: '"' });
    expect(parseBashLine('stowage show "Train/20"26', BREAKS)).toMatchObject({ kept: 'Train/20'.length });
    expect(parseBashLine('stowage show my\\:run', BREAKS)).toMatchObject({ current: 'my:run', kept: 0 });
    expect(parseBashLine('stowage get x 2>err.txt >ou', BREAKS)).toMatchObject({
      words: ['get', 'x'],
      current: 'ou',
      isRedirected: true,
    });
  });
});

describe('what a word may become', () => {
  it('commands and options, as the program has them', async () => {
    expect(await valuesFor('stowage ')).toEqual([
      ...buildProgram(async () => {}).commands.map((one) => one.name()),
      'help',
    ]);
    expect(await valuesFor('stowage s')).toEqual(['show', 'stat', 'sql']);
    expect(await valuesFor('stowage help s')).toEqual(['show', 'stat', 'sql']);
    expect(await valuesFor('stowage runs --st')).toEqual(['--status', '--store']);
    expect(await valuesFor('stowage runs --status ')).toEqual(['open', 'done', 'failed', 'abandoned']);
    expect(await valuesFor('stowage runs --status=d')).toEqual(['done']);
    expect(await valuesFor('stowage stat --by ')).toEqual(['flow', 'run', 'step', 'artifact']);
    expect(await valuesFor('stowage completion ')).toEqual([...SHELLS]);
    expect(await valuesFor('stowage cache ')).toEqual(['ls', 'show', 'explain', 'evict', 'stats', 'help']);
    expect(await valuesFor('stowage cache e')).toEqual(['explain', 'evict']);
    expect(await valuesFor('stowage help cache e')).toEqual(['explain', 'evict']);
    expect(await valuesFor('stowage cache ls --s')).toEqual(['--scope', '--since', '--store']);
    expect(await valuesFor('stowage nonsense ')).toEqual([]);
    expect((await completions('stowage get a/b/c/d x -o ')).kind).toBe('files');
    expect(await completions('stowage ls --store=')).toMatchObject({ kind: 'folders', lead: '--store=' });
  });

  it('paths, level by level, and no further than the command takes them', async () => {
    expect(await valuesFor('stowage show ')).toEqual(['Other/', 'Train/', 'it\'s $5 & a"b/']);
    expect(await valuesFor('stowage runs T')).toEqual(['Train']);
    expect(await valuesFor('stowage show Other/')).toEqual(['Other/r1/', 'Other/r2/', 'Other/r3/']);
    expect(await valuesFor(`stowage show ${RUN}/`)).toEqual([
      `${RUN}/fit/`,
      `${RUN}/load/`,
      `${RUN}/report/`,
    ]);
    expect(await valuesFor(`stowage show ${RUN}/fit/d`)).toEqual([`${RUN}/fit/drama`]);
    expect(await valuesFor(`stowage show ${RUN}/fit/drama/`)).toEqual([
      `${RUN}/fit/drama/1`,
      `${RUN}/fit/drama/0`,
    ]);
    expect(await valuesFor(`stowage stat ${RUN}/fit/drama/`)).toEqual([]);
    expect(await valuesFor(`stowage diff ${RUN} Other/r`)).toEqual(['Other/r1/', 'Other/r2/', 'Other/r3/']);
    expect(await valuesFor('stowage show Other/r1/nothing/')).toEqual([]);
  });

  it('runs by a word or the beginning of their ids, as the command will take them', async () => {
    expect(await valuesFor('stowage show Other/l')).toEqual(['Other/latest/', 'Other/latest-done/']);
    expect(await valuesFor('stowage show Other/latest/')).toEqual(['Other/latest/only/']);
    expect(await valuesFor('stowage show Train/2026-01/f')).toEqual(['Train/2026-01/fit/']);
    expect(await valuesFor('stowage get Train/latest-done/fit/2 m')).toEqual(['metrics']);
    expect(await valuesFor('stowage get Train/latest/fit weights ')).toEqual(['metrics']);
    expect(await valuesFor('stowage show Train/latest/fit/drama --attempt ')).toEqual([
      'latest-done',
      '1',
      '0',
    ]);
    expect(await valuesFor('stowage show Other/r/')).toEqual([]);
  });

  it('out of a store in the home folder, which the shell names to the program in full', async () => {
    vi.stubEnv('HOME', folder);
    const values = async (line: string): Promise<string[]> => {
      const { words, current } = parseBashLine(line, BREAKS);
      const { candidates } = await complete(words, current, AbortSignal.timeout(10_000));
      return candidates.map(({ value }) => value);
    };
    expect(await values('stowage --store ~/store show Tr')).toEqual(['Train/']);
    expect(await values('stowage copy ~/store ./mirror Tr')).toEqual(['Train/']);
    // No shell finds a home behind "=", and the program takes "~" for none.
    await errorOf(values('stowage --store=~/store show Tr'), 'INVALID_ARGUMENT');
  });

  it('artifacts and attempts of the task on the line', async () => {
    expect(await valuesFor(`stowage get ${RUN}/load/0 `)).toEqual(['raw', 'note', 'rows']);
    expect(await valuesFor(`stowage get ${RUN}/load/0 raw `)).toEqual(['note', 'rows']);
    expect(await valuesFor(`stowage get ${RUN}/report/1/0 p`)).toEqual(['partial']);
    expect(await valuesFor(`stowage show ${RUN}/fit/drama --attempt `)).toEqual(['latest-done', '1', '0']);
  });

  it('keys of the cache, as far as people type them, by one listing', async () => {
    const cached = join(folder, 'cached');
    const { first, second, newer, embedded } = await makeCache(cached);
    const all = [first, second, newer, embedded].map((key) => key.slice(0, 12)).sort();
    expect(await valuesFor('stowage cache show ', cached)).toEqual(all);
    expect(await valuesFor(`stowage cache show ${first.slice(0, 2)}`, cached)).toContain(first.slice(0, 12));
    expect(await valuesFor(`stowage cache show ${first.slice(0, 8)}`, cached)).toEqual([first.slice(0, 12)]);
    expect(await valuesFor(`stowage cache show ${first.slice(0, 20)}`, cached)).toEqual([first.slice(0, 20)]);
    expect(await valuesFor(`stowage cache explain ${all[0]} `, cached)).toEqual(all.slice(1));
    expect(await valuesFor(`stowage cache evict ${all[0]} ${all[1]} `, cached)).toEqual(all.slice(2));
    expect(await valuesFor(`stowage cache explain ${all[0]} ${all[1]} `, cached)).toEqual([]);
    expect(await valuesFor('stowage cache show x', cached)).toEqual([]);
    let counted: CountStorage | undefined;
    registerStorage('completed-cache', async () => {
      counted = new CountStorage(await openStorage(cached));
      return counted;
    });
    await valuesFor('stowage cache show ', 'completed-cache:');
    expect(counted?.snapshot()).toMatchObject({ requests: 1, list: { calls: 1 } });
  });

  it('costs one listing of the level, and for artifacts one description', async () => {
    let counted: CountStorage | undefined;
    registerStorage('completed', async () => {
      counted = new CountStorage(await openStorage(store));
      return counted;
    });
    const requestsFor = async (line: string): Promise<Record<string, number | undefined>> => {
      await valuesFor(line, 'completed:');
      const counts = counted?.snapshot();
      return { list: counts?.list.calls, get: counts?.get.calls, requests: counts?.requests };
    };
    expect(await requestsFor('stowage show ')).toEqual({ list: 1, get: 0, requests: 1 });
    expect(await requestsFor(`stowage show ${RUN}/fit/`)).toEqual({ list: 1, get: 0, requests: 1 });
    expect(await requestsFor(`stowage show ${RUN}/fit/2/`)).toEqual({ list: 1, get: 0, requests: 1 });
    expect(await requestsFor(`stowage get ${RUN}/load/0 `)).toEqual({ list: 1, get: 2, requests: 3 });
  });

  it('of very many names some are offered, which have no more in common than all of them', async () => {
    registerStorage('crowded', async () => {
      const storage = await openStorage('memory:');
      const names = Array.from({ length: 400 }, (_, index) => `2025-${String(index).padStart(3, '0')}`);
      for (const name of [...names, '2026-001', '2026-002', '2027-001'])
        await storage.create(`runs/F/${name}/created.json`, new Uint8Array(1));
      return storage;
    });
    const values = await valuesFor('stowage show F/', 'crowded:');
    expect(values.length).toBeGreaterThan(300);
    expect(values.length).toBeLessThan(305);
    expect(values.filter((value) => !value.startsWith('F/2025-'))).not.toEqual([]);
    expect(await valuesFor('stowage show F/2026', 'crowded:')).toEqual(['F/2026-001/', 'F/2026-002/']);
  });
});

describe('the scripts', () => {
  it('are printed by a command that needs no store', async () => {
    for (const shell of SHELLS) {
      expect(await stowage(undefined, ['completion', shell])).toMatchObject({
        code: 0,
        stderr: '',
        stdout: completionScript(shell),
      });
    }
    expect(JSON.parse((await stowage(undefined, ['completion', 'zsh', '--json'])).stdout)).toMatchObject({
      shell: 'zsh',
    });
    expect((await stowage(undefined, ['completion', 'tcsh'])).stderr).toContain(
      'Allowed choices are bash, zsh, fish.',
    );
  });

  it('whatever goes wrong, the answer is nothing, and no word of it', async () => {
    for (const args of [['bash'], ['bash', BREAKS, 'stowage show ../'], ['zsh'], ['tcsh', 'x'], []]) {
      const { code, stderr } = await stowage(undefined, ['__complete', ...args]);
      expect({ code, stderr }, args.join(' ')).toEqual({ code: 0, stderr: '' });
    }
    const nowhere = await stowage(undefined, [
      '__complete',
      'fish',
      '--store',
      join(folder, 'nowhere'),
      'show',
      '',
    ]);
    expect(nowhere).toMatchObject({ code: 0, stderr: '', stdout: 'words\n\n' });
    const odd = await stowage(undefined, ['__complete', 'fish', '--store', 'foo://bar', 'show', '']);
    expect(odd).toMatchObject({ code: 0, stderr: '', stdout: '' });
  });
});
