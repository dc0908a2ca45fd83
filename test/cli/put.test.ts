import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { json, noise, scratchFolder, stowage } from './fixture.ts';

const folder = scratchFolder();
const store = join(folder, 'store');

/** A file in the scratch folder. */
function fileOf(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** JSON that can be saved, then the one that is given. */
function jsonArguments(content: string): string[] {
  const files = [`a=${fileOf('good.json', '{"a":1}')}`, `b=${fileOf('other.json', content)}`];
  return ['F/r/s/t', ...files, '--as', 'json', '--tag', 'x'];
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
    expect(late.stderr).toContain('Run F/tagged exists already. Tags are given when a run is made');
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
    ['JSON that is too deep', 1, () => jsonArguments(`${'['.repeat(513)}${']'.repeat(513)}`)],
    ['JSON that is far too deep', 1, () => jsonArguments(`${'['.repeat(200_000)}${']'.repeat(200_000)}`)],
    ['JSON that sets a prototype', 1, () => jsonArguments('{"a":[{"__proto__":{}}]}')],
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
