import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fc, test } from '@fast-check/vitest';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Completion, complete } from '../../src/cli/completion/candidates.ts';
import { completionScript, SHELLS, type Shell } from '../../src/cli/completion/scripts.ts';
import { parseBashLine, quoteForBash } from '../../src/cli/completion/shell-line.ts';
import { buildProgram } from '../../src/cli/program.ts';
import { FlowDataStore, openStorage, registerStorage } from '../../src/index.ts';
import { CountStorage } from '../../src/storage/count.ts';
import { errorOf } from '../flow/fixtures.ts';
import { makeCache } from './cache-fixture.ts';
import { makeStore, PROGRAM, RUN, scratchFolder, stowage } from './fixture.ts';

const BREAKS = ' \t\n"\'><=;|&(:';
const folder = scratchFolder();
/** `stowage` as a command of the shell. */
const command = join(folder, 'stowage');
let store: string;

beforeAll(async () => {
  store = await makeStore(folder);
  writeFileSync(command, `#!/bin/sh\nexec '${process.execPath}' '${PROGRAM}' "$@"\n`);
  chmodSync(command, 0o755);
  await using flow = await FlowDataStore.open({ flowName: 'it\'s $5 & a"b', storage: store });
  await flow.task({ runId: 'my run', stepName: 's*', taskId: '~' }, (task) =>
    task.saveArtifacts({ 'a b': 1 }),
  );
});

afterEach(() => vi.unstubAllEnvs());

const isThere: Readonly<Record<Shell, boolean>> = {
  bash: spawnSync('bash', ['--version']).status === 0,
  zsh: spawnSync('zsh', ['--version']).status === 0,
  fish: spawnSync('fish', ['--version']).status === 0,
};
const without = SHELLS.filter((shell) => !isThere[shell]);
if (without.length > 0)
  console.warn(`not tested, because they are not installed: completions for ${without.join(', ')}`);

function run(shell: string, args: readonly string[], script: string): string[] {
  const { stdout, stderr, status } = spawnSync(shell, [...args, script], {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, STOWAGE_DATASTORE_SYSROOT_LOCAL: store },
  });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return stdout.split('\n').slice(0, -1);
}

/**
 * What lines become by the Tab key in a zsh of its own, on a terminal of its own. The key is bound to what completes the line and then
 * tells it, between two marks: the rest of what a terminal is sent is of no matter.
 */
function inZsh(lines: readonly string[]): string[] {
  const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
  const setup = [
    'PROMPT= RPROMPT=',
    `path=(${quoted(folder)} $path)`,
    `cd ${quoted(folder)}`,
    'autoload -Uz compinit',
    'compinit -u -D',
    'source <(stowage completion zsh)',
    `report() { zle complete-word; print -rn -- "<""<$BUFFER>"">"; BUFFER=; }`,
    'zle -N report',
    `bindkey '^I' report`,
  ].join('; ');
  const script = `zmodload zsh/zpty
    zpty z zsh -f -i
    zpty -w z ${quoted(setup)}
    for line in ${lines.map(quoted).join(' ')}; do
      zpty -w -n z "$line"$'\t'
      zpty -r z out '*<<*>>*'
      print -r -- "\${\${out##*<<}%%>>*}"
    done`;
  return run('zsh', ['-f', '-c'], script);
}

/** What fish would put in place of the word at the end of a line. */
function inFish(line: string): string[] {
  const quoted = line.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
  return run(
    'fish',
    ['-N', '-c'],
    `'${command}' completion fish | source; set -x PATH '${folder}' $PATH; cd '${folder}'; complete -C '${quoted}'`,
  );
}

/** What Bash is told to put in place of what readline takes for the word at the end of `line`. */
function inBash(line: string, setup = ''): string[] {
  const quoted = `'${line.replaceAll("'", "'\\''")}'`;
  return run(
    'bash',
    ['--norc', '-c'],
    `source <('${command}' completion bash)
    ${setup}
    COMP_LINE=${quoted} COMP_POINT=\${#COMP_LINE} COMP_WORDS=('${command}') COMP_CWORD=0
    _stowage
    (( \${#COMPREPLY[@]} == 0 )) || printf '%s\\n' "\${COMPREPLY[@]}"`,
  );
}

function completions(line: string): Promise<Completion> {
  const { words, current } = parseBashLine(line, BREAKS);
  return complete(
    buildProgram(async () => {}),
    words,
    current,
    AbortSignal.timeout(10_000),
  );
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

  it.runIf(isThere.bash)('Bash takes the quotes for what they are meant to be', () => {
    const words = fc
      .sample(text, { numRuns: 300, seed: 1 })
      .filter((word) => word !== '' && !word.includes('!'));
    const quoted = words.flatMap((word) => [
      quoteForBash(word, ''),
      `"${quoteForBash(word, '"')}"`,
      `'${quoteForBash(word, "'")}'`,
    ]);
    const printed = run('bash', ['--norc', '-c'], `printf '%s\\n' ${quoted.join(' ')}`);
    expect(printed).toEqual(words.flatMap((word) => [word, word, word]));
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
    expect(await valuesFor('stowage s')).toEqual(['show', 'stat']);
    expect(await valuesFor('stowage help s')).toEqual(['show', 'stat']);
    expect(await valuesFor('stowage runs --st')).toEqual(['--status', '--store']);
    expect(await valuesFor('stowage runs --status ')).toEqual(['open', 'done', 'failed']);
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

  it('out of a store in the home folder, which the shell names to the program in full', async () => {
    vi.stubEnv('HOME', folder);
    const values = async (line: string): Promise<string[]> => {
      const { words, current } = parseBashLine(line, BREAKS);
      const program = buildProgram(async () => {});
      const { candidates } = await complete(program, words, current, AbortSignal.timeout(10_000));
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
    for (const args of [['bash'], ['bash', BREAKS, `${command} show ../`], ['zsh'], ['tcsh', 'x'], []]) {
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

describe.runIf(isThere.bash)('in Bash', () => {
  it('completes commands and paths, which colons do not part', () => {
    expect(inBash('stowage stat --b')).toEqual(['--by ']);
    expect(inBash('stowage show Tr')).toEqual(['Train/']);
    expect(inBash('stowage show Train/2026-01-31T08:0')).toEqual(['00:00Z/']);
    expect(inBash(`stowage show ${RUN}/l`)).toEqual(['00Z/load/']);
    expect(inBash(`stowage show ${RUN}/l`, "COMP_WORDBREAKS=' '")).toEqual([`${RUN}/load/`]);
    expect(inBash(`stowage get ${RUN}/load/0 ra`)).toEqual(['raw ']);
    expect(inBash('stowage show nothing-like-this')).toEqual([]);
  });

  it('escapes what the shell would not take literally', () => {
    expect(inBash('stowage show it')).toEqual(['it\\\'s\\ \\$5\\ \\&\\ a\\"b/']);
    expect(inBash('stowage show it\\\'s\\ \\$5\\ \\&\\ a\\"b/m')).toEqual([
      'it\\\'s\\ \\$5\\ \\&\\ a\\"b/my\\ run/',
    ]);
    expect(inBash('stowage show "it\'s')).toEqual(['it\'s \\$5 & a\\"b/']);
    expect(inBash('stowage get it\\\'s\\ \\$5\\ \\&\\ a\\"b/my\\ run/s\\*/\\~ a')).toEqual(['a\\ b ']);
  });

  it('leaves files to the shell', () => {
    const setup = `cd '${folder}'`;
    expect(inBash('stowage ls --store st', setup).sort()).toEqual(['store']);
    expect(inBash('stowage ls --store=st', setup)).toEqual(['store']);
    expect(inBash('stowage get a/b/c/d x > sto', setup).sort()).toEqual(['store', 'stowage']);
    expect(inBash('stowage get a/b/c/d x -o stow', setup)).toEqual(['stowage']);
  });
});

describe.runIf(isThere.zsh)('in zsh', () => {
  it('completes commands, paths, values and files', () => {
    const completed = {
      'stowage stat --b': 'stowage stat --by ',
      'stowage show Tr': 'stowage show Train/',
      'stowage show Train/2026-01-31T08:0': `stowage show ${RUN}/`,
      [`stowage get ${RUN}/load/0 ra`]: `stowage get ${RUN}/load/0 raw `,
      'stowage runs --status=d': 'stowage runs --status=done ',
      'stowage ls --store=sto': 'stowage ls --store=store/',
      'stowage get a/b/c/d x -o stor': 'stowage get a/b/c/d x -o store/',
      'stowage show nothing-like-this': 'stowage show nothing-like-this',
    };
    expect(inZsh(Object.keys(completed))).toEqual(Object.values(completed));
  });

  it('quotes as the line does', () => {
    const completed = {
      'stowage show it': 'stowage show it\\\'s\\ \\$5\\ \\&\\ a\\"b/',
      'stowage show it\\\'s\\ \\$5\\ \\&\\ a\\"b/m': 'stowage show it\\\'s\\ \\$5\\ \\&\\ a\\"b/my\\ run/',
      'stowage show "it\'s': 'stowage show "it\'s \\$5 & a\\"b/',
      "stowage show 'Train/20": `stowage show '${RUN}/`,
    };
    expect(inZsh(Object.keys(completed))).toEqual(Object.values(completed));
  });
});

describe.runIf(isThere.fish)('in fish', () => {
  it('completes commands, paths, values and files', () => {
    expect(inFish('stowage stat --b')).toEqual([expect.stringMatching(/^--by\t/)]);
    expect(inFish('stowage show Train/2026')).toEqual([`${RUN}/`]);
    expect(inFish(`stowage get ${RUN}/load/0 ra`)).toEqual(['raw']);
    expect(inFish('stowage runs --status=')).toEqual(['--status=done', '--status=failed', '--status=open']);
    expect(inFish('stowage ls --store=sto')).toEqual(['--store=store/']);
    expect(inFish('stowage get a/b/c/d x -o stor')).toEqual(['store/']);
    expect(inFish('stowage show nothing-like-this')).toEqual([]);
  });

  it('takes the quotes of the word for what they mean, open ones too', () => {
    const flow = 'it\'s $5 & a"b';
    expect(inFish('stowage show it\\\'s\\ \\$5\\ \\&\\ a\\"b/m')).toEqual([`${flow}/my run/`]);
    expect(inFish('stowage show "it')).toEqual([`${flow}/`]);
    expect(inFish("stowage show 'Train/20")).toEqual([`${RUN}/`]);
    expect(inFish('stowage show "Train/20"')).toEqual([`${RUN}/`]);
  });
});
