import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { type Ended, json, noise, PROGRAM, scratchFolder, stowage } from './fixture.ts';
import { startStowage } from './running.ts';

const folder = scratchFolder();
const store = join(folder, 'store');

/** A file in the scratch folder. */
function fileOf(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** Runs `stowage put` as a process, with something to read. */
async function putProcess(args: readonly string[], stdin: 'pipe' | number, input = ''): Promise<Ended> {
  const child = spawn(process.execPath, [PROGRAM, 'put', ...args, '--store', store], {
    stdio: [stdin, 'pipe', 'pipe'],
  });
  child.stdin?.end(input);
  const [out, err]: Buffer[][] = [[], []];
  child.stdout?.on('data', (piece: Buffer) => out?.push(piece));
  child.stderr?.on('data', (piece: Buffer) => err?.push(piece));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  const bytes = Buffer.concat(out ?? []);
  return { code, stdout: bytes.toString(), stderr: Buffer.concat(err ?? []).toString(), bytes };
}

let small: string;
let large: string;
beforeAll(() => {
  small = fileOf('small.txt', 'héllo\n');
  large = fileOf('large.bin', noise(1_000_000, 3));
});

describe('stowage put', () => {
  it('makes the store and says so, and saves each file as an artifact of a new attempt', async () => {
    const fresh = join(folder, 'fresh');
    const first = await stowage(fresh, ['put', 'F/r/s/t', `a=${large}`, `b=${large}`, `c=${small}`]);
    expect(first.code).toBe(0);
    expect(first.stderr).toBe(`stowage: made a new store at file://${fresh}.\n`);
    const [path, header, ...rows] = first.stdout.trimEnd().split('\n');
    expect(path).toBe('F/r/s/t/0');
    expect(header).toMatch(/^ARTIFACT +SIZE +STORED +NEW$/);
    expect(rows).toEqual([
      expect.stringMatching(/^a +1\.0 MB +1\.0 MB +1\.0 MB$/),
      expect.stringMatching(/^b +1\.0 MB +1\.0 MB +known$/),
      expect.stringMatching(/^c +7 B +inline$/),
    ]);
    const again = await stowage(fresh, ['put', 'F/r/s/t', `a=${large}`]);
    expect(again.stderr).toBe('');
    expect(again.stdout).toMatch(/^F\/r\/s\/t\/1\n/);
    expect(again.stdout).toMatch(/^a .* known$/m);
    const { bytes } = await stowage(fresh, ['get', 'F/r/s/t', 'a']);
    expect(Buffer.compare(bytes, readFileSync(large))).toBe(0);
  });

  it('--json: the attempt, and what is new of it', async () => {
    const changed = readFileSync(large);
    changed.fill(7, 500_000, 500_100);
    const files = [`a=${large}`, `b=${fileOf('changed.bin', changed)}`, `c=${large}`];
    const document = await json(store, ['put', 'F/new/s/t', ...files]);
    expect(document).toMatchObject({
      flow: 'F',
      run: 'new',
      step: 's',
      task: 't',
      attempt: 0,
      newStore: true,
    });
    const [a, b, c] = document.artifacts;
    expect(a).toMatchObject({ name: 'a', type: 'Uint8Array', bytes: 1_000_000, inline: false });
    expect(a.newBytes).toBe(a.storedBytes);
    expect(b.newBytes).toBeGreaterThan(1000);
    expect(b.newBytes).toBeLessThan(600_000); // the chunks around the change
    expect(c).toMatchObject({ name: 'c', newBytes: 0 });
    expect(await json(store, ['put', 'F/new/s/t', `a=${small}`])).toMatchObject({
      attempt: 1,
      newStore: false,
    });
  });

  it('--as: text and JSON become values', async () => {
    const value = fileOf('value.json', '\ufeff{"b": [1, null], "a": "x"}');
    await stowage(store, ['put', 'F/as/s/text', `note=${small}`, '--as', 'text']);
    await stowage(store, ['put', 'F/as/s/json', `value=${value}`, '--as', 'json']);
    await using flow = await FlowDataStore.open({ flowName: 'F', storage: store });
    expect(await (await flow.getTaskDataStore('as/s/text')).get('note')).toBe('héllo\n');
    expect(await (await flow.getTaskDataStore('as/s/json')).get('value')).toEqual({ b: [1, null], a: 'x' });
    expect((await stowage(store, ['put', 'F/as/s/xml', `a=${small}`, '--as', 'xml'])).code).toBe(2);
  });

  it('--metadata and --tag: of the attempt, and of the run that it makes', async () => {
    const put = (...args: string[]) => stowage(store, ['put', 'F/tagged/s/t', `a=${small}`, ...args]);
    const args = [
      '--tag',
      'x',
      '--tag',
      'y',
      '--metadata',
      'n=3',
      '--metadata',
      'version=1.10',
      '--metadata',
      'o={"k":[]}',
    ];
    expect((await put(...args)).code).toBe(0);
    const [attempt] = (await json(store, ['show', 'F/tagged/s/t'])).attempts;
    expect(attempt.metadata).toEqual({ n: 3, version: '1.10', o: { k: [] } });
    expect(await json(store, ['show', 'F/tagged'])).toMatchObject({ tags: ['x', 'y'], status: 'open' });
    const late = await put('--tag', 'z');
    expect(late).toMatchObject({ code: 1, stdout: '' });
    expect(late.stderr).toContain('Run F/tagged exists already, and tags are given to a run when it is made');
    expect((await json(store, ['ls', 'F/tagged/s/t'])).entries).toHaveLength(1);
  });

  it('takes the attempt that is asked for, if nobody has it', async () => {
    expect((await stowage(store, ['put', 'F/number/s/t/4', `a=${small}`])).stdout).toMatch(
      /^F\/number\/s\/t\/4\n/,
    );
    expect((await stowage(store, ['put', 'F/number/s/t', `a=${small}`])).stdout).toMatch(
      /^F\/number\/s\/t\/5\n/,
    );
    const taken = await stowage(store, ['put', 'F/number/s/t/4', `a=${small}`, '--json']);
    expect(taken).toMatchObject({ code: 1, stdout: '' });
    expect(JSON.parse(taken.stderr).error.code).toBe('ATTEMPT_EXISTS');
  });

  it.each<[string, number, () => string[]]>([
    ['no file', 2, () => ['F/r/s/t']],
    ['a path that is too short', 2, () => ['F/r/s', `a=${small}`]],
    ['no "="', 2, () => ['F/r/s/t', small]],
    ['a name twice', 2, () => ['F/r/s/t', `a=${small}`, `a=${large}`]],
    ['a name that is none', 2, () => ['F/r/s/t', `a/b=${small}`]],
    ['metadata without a key', 2, () => ['F/r/s/t', `a=${small}`, '--metadata', 'x']],
    ['a file that does not exist', 1, () => ['F/r/s/t', `a=${small}`, `b=${small}.none`]],
    ['a folder', 1, () => ['F/r/s/t', `a=${folder}`]],
    ['bytes as text', 1, () => ['F/r/s/t', `a=${small}`, `b=${large}`, '--as', 'text']],
    ['text as JSON', 1, () => ['F/r/s/t', `a=${small}`, '--as', 'json']],
  ])('%s: leaves no trace', async (_, code, args) => {
    const nowhere = join(folder, 'nowhere');
    const said = await stowage(nowhere, ['put', ...args()]);
    expect({ code: said.code, stdout: said.stdout }).toEqual({ code, stdout: '' });
    expect(said.stderr).toMatch(/^stowage: .*\n$/);
    expect(existsSync(nowhere)).toBe(false);
  });

  it('says which file cannot be read, as JSON too', async () => {
    const said = await stowage(store, ['put', 'F/r/s/t', `a=${small}.none`, '--json']);
    expect(JSON.parse(said.stderr).error).toEqual({
      code: 'INPUT_FAILED',
      message: `${small}.none cannot be read: it does not exist.`,
      details: { path: `${small}.none` },
    });
  });
});

describe('stowage put of what is no file', () => {
  it('reads the standard input', async () => {
    const put = await putProcess(['F/stdin/s/t', `file=${small}`, 'typed=-'], 'pipe', 'from a pipe\n');
    expect({ code: put.code, stderr: put.stderr }).toEqual({ code: 0, stderr: '' });
    expect((await stowage(store, ['get', 'F/stdin/s/t', 'typed', '--format', 'text'])).stdout).toBe(
      'from a pipe\n',
    );
    expect((await putProcess(['F/stdin/s/json', 'value=-', '--as', 'json'], 'pipe', '[1]')).code).toBe(0);
    expect((await stowage(store, ['get', 'F/stdin/s/json', 'value'])).stdout).toBe('[1]\n');
  });

  const hasPipes = process.platform !== 'win32';

  it.runIf(hasPipes)('does not take a folder for an empty input', async () => {
    const input = openSync(folder, 'r');
    const put = await putProcess(['F/folder/s/t', 'a=-'], input);
    closeSync(input);
    expect(put).toMatchObject({ code: 1, stdout: '' });
    expect(put.stderr).toBe('stowage: The standard input cannot be read: it is a folder.\n');
  });

  it.runIf(existsSync('/proc/self/mem'))('fails the attempt if it cannot be read to the end', async () => {
    const put = await stowage(store, ['put', 'F/broken/s/t', `first=${small}`, 'second=/proc/self/mem']);
    expect(put).toMatchObject({ code: 1, stdout: '' });
    const [attemptLine, errorLine] = put.stderr.split('\n');
    expect(attemptLine).toBe('stowage: attempt F/broken/s/t/0 is closed as failed.');
    expect(errorLine).toMatch(/^stowage: \/proc\/self\/mem cannot be read: /);
    const [attempt] = (await json(store, ['show', 'F/broken/s/t'])).attempts;
    expect(attempt).toMatchObject({
      status: 'failed',
      error: { name: 'CliError' },
      artifacts: [{ name: 'first' }],
    });
  });

  it.runIf(hasPipes)('is ended by Ctrl-C while it waits for a pipe, and leaves no attempt open', async () => {
    const pipe = join(folder, 'pipe');
    expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
    const args = ['put', 'F/waiting/s/t', `a=${pipe}`, '--store', store];
    const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (piece: Buffer) => {
      stderr += piece.toString();
    });
    const ended = new Promise((resolve) => child.on('close', resolve));
    const opened = join(store, 'flows/F/waiting/s/t/0.attempt.json');
    while (!existsSync(opened)) await new Promise((resolve) => setTimeout(resolve, 10));
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(stderr).toBe('stowage: attempt F/waiting/s/t/0 is closed as failed.\nstowage: interrupted.\n');
    const [attempt] = (await json(store, ['show', 'F/waiting/s/t'])).attempts;
    expect(attempt).toMatchObject({ status: 'failed', error: { message: 'stowage put was interrupted.' } });
  });

  it.runIf(hasPipes)('writes nothing if it is ended while it reads text', async () => {
    const pipe = join(folder, 'pipe-of-text');
    expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
    const nowhere = join(folder, 'interrupted');
    const putting = startStowage(nowhere, ['put', 'F/r/s/t', `a=${pipe}`, '--as', 'text']);
    const writer = await open(pipe, 'w'); // resolves once somebody reads
    await writer.write('some');
    putting.interrupt();
    expect(await putting.ended).toBe(130);
    await writer.close();
    expect(existsSync(nowhere)).toBe(false);
  });
});
