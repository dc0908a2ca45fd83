import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { SHELLS, type Shell } from '../../src/cli/completion/scripts.ts';
import { quoteForBash } from '../../src/cli/completion/shell-line.ts';
import { FlowDataStore } from '../../src/index.ts';
import { makeStore, PROGRAM, RUN, scratchFolder } from './fixture.ts';

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
    timeout: 120_000,
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

const text = fc.string({
  unit: fc.constantFrom('a', ' ', ':', '/', "'", '"', '\\', '$', '`', '*', '~', '!', 'é', '漢', '=', '>'),
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
