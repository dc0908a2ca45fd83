import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { tableFromArrays, tableFromIPC } from 'apache-arrow';
import { beforeAll, describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { json, makeStore, noise, RUN, scratchFolder, stowage } from './fixture.ts';
import { startStowage } from './running.ts';

const folder = scratchFolder();
let store: string;
/** A task with an artifact of each kind. */
const KINDS = 'Kinds/r1/all/0';
beforeAll(async () => {
  store = await makeStore(folder);
  await using flow = await FlowDataStore.open({ flowName: 'Kinds', storage: store });
  await flow.task({ runId: 'r1', stepName: 'all', taskId: '0' }, (task) =>
    task.saveArtifacts({
      rows: [{ a: 1, b: 'x,y' }, { a: 2 }],
      note: 'text',
      plain: Buffer.from('bytes that are text'),
      raw: Uint8Array.of(0x68, 0xff),
      'report.html': '<p>',
      'a:b': 1,
      frame: tableFromArrays({ x: [1, 2] }),
      lone: '\ud800',
    }),
  );
  await flow.task({ runId: 'r1', stepName: 'all', taskId: 'none' }, () => {});
  await flow.task({ runId: 'r1', stepName: 'all', taskId: 'large' }, (task) =>
    task.saveArtifacts({
      text: 'a line of text\n'.repeat(80_000),
      raw: noise(1_200_000),
      half: Buffer.from('é').subarray(0, 1),
    }),
  );
});

describe('stowage get', () => {
  it('writes bytes as they are, strings as text, values as JSON', async () => {
    const bytes = await stowage(store, ['get', `${RUN}/load/0`, 'raw']);
    expect(bytes.code).toBe(0);
    expect(Buffer.compare(bytes.bytes, noise(300_000, 7))).toBe(0);
    expect((await stowage(store, ['get', `${RUN}/load/0`, 'note'])).stdout).toBe('héllo\nwörld \x1b[31m');
    expect(JSON.parse((await stowage(store, ['get', `${RUN}/load/0`, 'rows'])).stdout)).toEqual([
      { a: 1 },
      { a: 2 },
    ]);
    expect((await stowage(store, ['get', `${RUN}/fit/2`, 'weights'])).stdout).toBe('[0.5, "NaN"]\n');
  });

  it('--bytes: the serialized bytes', async () => {
    const { bytes } = await stowage(store, ['get', `${RUN}/fit/2`, 'weights', '--bytes']);
    expect(bytes.length).toBe(16);
    expect(bytes.readDoubleLE(0)).toBe(0.5);
    expect((await stowage(store, ['get', `${RUN}/fit/2`, 'weights', '--bytes', '--json'])).code).toBe(2);
  });

  it('--json: what is known of it, and the value', async () => {
    const rows = await json(store, ['get', `${RUN}/load/0`, 'rows']);
    expect(rows).toMatchObject({
      flow: 'Train',
      step: 'load',
      task: '0',
      attempt: 0,
      status: 'done',
      exact: true,
    });
    expect(rows.artifact).toMatchObject({ name: 'rows', type: 'array', inline: true, storedBytes: 0 });
    expect(rows.value).toEqual([{ a: 1 }, { a: 2 }]);
    const raw = await json(store, ['get', `${RUN}/load/0`, 'raw']);
    expect(raw.exact).toBe(false);
    expect(Buffer.compare(Buffer.from(raw.value, 'base64'), noise(300_000, 7))).toBe(0);
  });

  it('-o: a file that appears whole, or not at all', async () => {
    const target = join(folder, 'raw.bin');
    writeFileSync(target, 'before');
    expect(await stowage(store, ['get', `${RUN}/load/0`, 'raw', '-o', target, '--force'])).toMatchObject({
      code: 0,
      stdout: '',
    });
    expect(Buffer.compare(readFileSync(target), noise(300_000, 7))).toBe(0);
    expect((await stowage(store, ['get', `${RUN}/load/0`, 'rows', '-o', '-'])).stdout).not.toBe('');
    const nowhere = await stowage(store, ['get', `${RUN}/load/0`, 'raw', '-o', join(folder, 'no/such')]);
    expect(nowhere.code).toBe(1);
    expect(nowhere.stderr).toContain('its folder does not exist');
    expect((await stowage(store, ['get', `${RUN}/load/0`, 'raw', '-o', folder])).stderr).toContain(
      'it is a folder',
    );
    expect(readdirSync(folder).filter((name) => name.includes('.part'))).toEqual([]);
  });

  it('reads the latest attempt, an older one, or the latest that is done', async () => {
    const value = async (...args: string[]): Promise<string> =>
      (await stowage(store, ['get', ...args])).stdout.replace(/\s/g, '');
    expect(await value(`${RUN}/fit/drama`, 'metrics')).toBe('{"auc":0.5}');
    expect(await value(`${RUN}/fit/drama/1`, 'metrics')).toBe('{"auc":0.5}');
    expect(await value(`${RUN}/fit/drama`, 'metrics', '--attempt', '1')).toBe('{"auc":0.5}');
    expect(await value(`${RUN}/fit/drama`, 'metrics', '--attempt', 'latest-done')).toBe('{"auc":0.5}');
    expect((await stowage(store, ['get', `${RUN}/fit/drama/1`, 'metrics', '--attempt', '0'])).code).toBe(2);
  });

  it('refuses what is not done, and says how to have it', async () => {
    const failed = await stowage(store, ['get', `${RUN}/report/1`, 'partial']);
    expect(failed).toMatchObject({ code: 1, stdout: '' });
    expect(failed.stderr).toContain('--allow-not-done');
    expect((await stowage(store, ['get', `${RUN}/report/1`, 'partial', '--allow-not-done'])).stdout).toBe(
      '[1, 2, 3]\n',
    );
    const none = await stowage(store, ['get', `${RUN}/report/1`, 'partial', '--attempt', 'latest-done']);
    expect(none).toMatchObject({ code: 1 });
    expect(none.stderr).toContain(`No attempt of task ${RUN}/report/1 is done.`);
    const older = await stowage(store, ['get', `${RUN}/fit/drama/0`, 'metrics']);
    expect(older.stderr).toMatch(`stowage: Attempt 0 of task ${RUN}/fit/drama failed. To read it`);
  });

  it('names some of very many artifacts', async () => {
    const many = join(folder, 'many');
    await using flow = await FlowDataStore.open({ flowName: 'Many', storage: many });
    const artifacts = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`artifact${i}`, i]));
    await flow.task({ runId: 'r', stepName: 's', taskId: '0' }, (task) => task.saveArtifacts(artifacts));
    for (const args of [[], ['x']]) {
      const { stderr } = await stowage(many, ['get', 'Many/r/s/0', ...args]);
      expect(stderr).toContain('artifact18, artifact19 and 980 more.');
      const shown = JSON.parse((await stowage(many, ['get', 'Many/r/s/0', ...args, '--json'])).stderr);
      expect(shown.error.details).toMatchObject({ missing: 'artifact', existing: { length: 20 } });
    }
  });

  it('names an artifact that was likely meant', async () => {
    const { code, stderr } = await stowage(store, ['get', `${RUN}/fit/2`, 'metrix', '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(stderr).error).toMatchObject({
      code: 'ARTIFACT_NOT_FOUND',
      message: `${RUN}/fit/2/0 has no artifact metrix. Did you mean metrics?`,
      details: { artifact: 'metrix', suggestions: ['metrics'], existing: ['weights', 'metrics'] },
    });
  });

  it('leaves no file where the artifact cannot be read', async () => {
    const target = join(folder, 'none.bin');
    expect((await stowage(store, ['get', `${RUN}/fit/2`, 'nothing', '-o', target])).code).toBe(1);
    expect(existsSync(target)).toBe(false);
  });
});

describe('stowage get --format', () => {
  const format = async (artifact: string, ...args: string[]) =>
    stowage(store, ['get', KINDS, artifact, '--format', ...args]);

  it('writes one value in several forms', async () => {
    expect((await format('rows', 'csv')).stdout).toBe('a,b\r\n1,"x,y"\r\n2,\r\n');
    expect((await format('note', 'json')).stdout).toBe('"text"\n');
    expect((await format('raw', 'json')).stdout).toBe('"aP8="\n');
    expect((await format('plain', 'text')).stdout).toBe('bytes that are text');
    expect((await format('note', 'text')).stdout).toBe('text');
    expect((await format('note', 'bytes')).stdout).toBe('text');
    expect((await stowage(store, ['get', KINDS, 'lone'])).stdout).toBe('\ufffd');
    expect(await json(store, ['get', KINDS, 'note', '--format', 'json'])).toMatchObject({ value: 'text' });
  });

  it('writes Arrow tables as rows, or as the stream that they are', async () => {
    expect(JSON.parse((await stowage(store, ['get', KINDS, 'frame'])).stdout)).toEqual([{ x: 1 }, { x: 2 }]);
    expect((await format('frame', 'csv')).stdout).toBe('x\r\n1\r\n2\r\n');
    expect(tableFromIPC((await format('frame', 'bytes')).bytes).numRows).toBe(2);
    expect(await json(store, ['get', KINDS, 'frame'])).toMatchObject({
      value: [{ x: 1 }, { x: 2 }],
      exact: false,
    });
  });

  it('says what cannot take a form, and which it can', async () => {
    for (const [artifact, form, other] of [
      ['note', 'csv', 'text'],
      ['raw', 'csv', 'bytes'],
      ['a:b', 'csv', 'json'],
      ['raw', 'text', 'bytes'],
      ['rows', 'text', 'json'],
    ] as const) {
      const { code, stderr } = await format(artifact, form);
      expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(`--format ${other}.`) });
    }
    const half = await stowage(store, ['get', 'Kinds/r1/all/large', 'half', '--format', 'text']);
    expect(half).toMatchObject({ code: 1, stderr: expect.stringContaining('bytes that are not UTF-8') });
    const target = join(folder, 'no-text');
    expect((await format('raw', 'text', '-o', target)).code).toBe(1);
    expect(readdirSync(folder).filter((name) => name.startsWith('no-text'))).toEqual([]);
  });

  it('is one form', async () => {
    for (const args of [
      ['note', '--format', 'text', '--bytes'],
      ['note', '--format', 'text', '--json'],
      ['note', '--format', 'xml'],
    ]) {
      expect((await stowage(store, ['get', KINDS, ...args])).code).toBe(2);
    }
  });

  it('remarks on JSON in a file of another name', async () => {
    const target = join(folder, 'rows.csv');
    const said = await stowage(store, ['get', KINDS, 'rows', '-o', target]);
    expect(said).toMatchObject({
      code: 0,
      stderr: `stowage: ${target} holds JSON; for a table: --format csv\n`,
    });
    expect(
      (await stowage(store, ['get', KINDS, 'rows', '-o', target, '--force', '--format', 'csv'])).stderr,
    ).toBe('');
    expect(readFileSync(target, 'utf8')).toMatch(/^a,b\r\n/);
  });
});

describe('stowage get -d', () => {
  it('writes all artifacts, each under a name of its own', async () => {
    const target = join(folder, 'deep/all');
    const { code, stdout, stderr } = await stowage(store, ['get', KINDS, '-d', target]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^ARTIFACT +FILE +SIZE$/m);
    const files = [
      'a%3Ab.json',
      'frame.arrows',
      'lone.txt',
      'note.txt',
      'plain.bin',
      'raw.bin',
      'report.html',
      'rows.json',
    ];
    expect(readdirSync(target).sort()).toEqual(files);
    expect(JSON.parse(readFileSync(join(target, 'rows.json'), 'utf8'))).toEqual([
      { a: 1, b: 'x,y' },
      { a: 2 },
    ]);
    expect(readFileSync(join(target, 'report.html'), 'utf8')).toBe('<p>');
    expect(tableFromIPC(readFileSync(join(target, 'frame.arrows'))).numRows).toBe(2);
  });

  it('writes those that are named, and tells of them as JSON', async () => {
    const target = join(folder, 'some');
    const document = await json(store, ['get', KINDS, 'note', 'raw', '-d', target]);
    expect(document).toMatchObject({ flow: 'Kinds', run: 'r1', attempt: 0, status: 'done', folder: target });
    expect(document.files).toEqual([
      { artifact: 'note', form: 'text', file: join(target, 'note.txt'), bytes: 4 },
      { artifact: 'raw', form: 'bytes', file: join(target, 'raw.bin'), bytes: 2 },
    ]);
    expect(readdirSync(target)).toHaveLength(2);
    const wrong = await stowage(store, ['get', KINDS, 'note', 'rwa', '-d', join(folder, 'never')]);
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain('Did you mean raw?');
    expect(existsSync(join(folder, 'never'))).toBe(false);
  });

  it('replaces no file, and writes nothing then, unless it is told to', async () => {
    const target = join(folder, 'taken');
    mkdirSync(target);
    writeFileSync(join(target, 'rows.json'), 'mine');
    symlinkSync('nowhere', join(target, 'raw.bin'));
    const refused = await stowage(store, ['get', KINDS, '-d', target]);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain(
      `${join(target, 'rows.json')} and 1 more of the files exist already, and nothing was written`,
    );
    expect(readdirSync(target).sort()).toEqual(['raw.bin', 'rows.json']);
    expect((await stowage(store, ['get', KINDS, 'note', '-d', target])).code).toBe(0);
    expect((await stowage(store, ['get', KINDS, '-d', target, '--force'])).code).toBe(0);
    expect(readFileSync(join(target, 'rows.json'), 'utf8')).toContain('"a": 2');
    expect(readFileSync(join(target, 'raw.bin'))).toHaveLength(2);
  });

  it('writes what can be written, and tells of the rest', async () => {
    const target = join(folder, 'tables');
    const { code, stdout, stderr } = await stowage(store, ['get', KINDS, '-d', target, '--format', 'csv']);
    expect(code).toBe(3);
    expect(stdout).toMatch(/^note +not written$/m);
    expect(stdout).toMatch(/^rows +.*rows\.csv +\d+ B$/m);
    expect(stderr).toContain('note is not a table');
    expect(readdirSync(target).sort()).toEqual(['frame.csv', 'rows.csv']);
    const none = await stowage(store, ['get', KINDS, 'note', '-d', target, '--format', 'csv']);
    expect(none).toMatchObject({ code: 1, stdout: '' });
  });

  it('writes what is whole, where something is damaged', async () => {
    const copy = join(folder, 'damaged');
    cpSync(store, copy, { recursive: true });
    for (const name of readdirSync(join(copy, 'packs'), { recursive: true, encoding: 'utf8' })) {
      if (/\d{8}$/.test(name)) truncateSync(join(copy, 'packs', name), 5_000);
    }
    const target = join(folder, 'of-damaged');
    const { code, stdout } = await stowage(copy, ['get', `${RUN}/load/0`, '-d', target]);
    expect(code).toBe(12);
    expect(stdout).toMatch(/^raw +not written$/m);
    expect(readdirSync(target).sort()).toEqual(['note.txt', 'rows.json']);
  });

  it.skipIf(!existsSync('/proc/self'))('ends where no folder can be made, and says so', async () => {
    const { code, stdout, stderr } = await stowage(store, ['get', KINDS, '-d', '/proc/nope/out']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toBe('stowage: /proc/nope/out cannot be written: no folder can be made there.\n');
  });

  it('leaves nothing unfinished', async () => {
    const file = join(folder, 'a-file');
    writeFileSync(file, '');
    const inFile = await stowage(store, ['get', KINDS, '-d', file]);
    expect(inFile).toMatchObject({
      code: 1,
      stdout: '',
      stderr: `stowage: ${file} cannot be written: it is no folder.\n`,
    });
    const parts = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.part'),
    );
    expect(parts).toEqual([]);
  });

  it('takes no other destination, and names the artifacts where one is needed', async () => {
    expect((await stowage(store, ['get', KINDS, '-d', 'x', '-o', 'y'])).code).toBe(2);
    expect((await stowage(store, ['get', KINDS, 'note', 'raw'])).stderr).toContain('-d <folder>');
    const which = await stowage(store, ['get', KINDS, '--json']);
    expect(which.code).toBe(2);
    expect(JSON.parse(which.stderr).error).toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('Kinds/r1/all/0/0 has rows, note, plain'),
      details: { existing: expect.arrayContaining(['rows', 'lone']) },
    });
    const none = await stowage(store, ['get', 'Kinds/r1/all/none']);
    expect(none).toMatchObject({ code: 1, stderr: 'stowage: Kinds/r1/all/none/0 has no artifacts.\n' });
    expect((await stowage(store, ['get', 'Kinds/r1/all/none', '-d', join(folder, 'empty')])).code).toBe(0);
    expect(existsSync(join(folder, 'empty'))).toBe(false);
  });
});

describe('stowage get in a terminal', () => {
  const inTerminal = async (...args: string[]) => {
    const { ended, stdout, stderr } = startStowage(store, ['get', ...args], { isTerminal: true });
    return { code: await ended, stdout: stdout.text, stderr: stderr.text };
  };

  it('refuses what would flood it, unless it is told to', async () => {
    const refused = await inTerminal('Kinds/r1/all/large', 'text');
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toContain('text is 1.2 MB (string), more than one reads in a terminal.');
    const forced = await inTerminal('Kinds/r1/all/large', 'text', '--force');
    expect(forced).toMatchObject({ code: 0, stdout: 'a line of text\n'.repeat(80_000) });
    expect((await stowage(store, ['get', 'Kinds/r1/all/large', 'text'])).code).toBe(0);
  });

  it('refuses bytes, even then, but shows those that are text', async () => {
    expect((await inTerminal('Kinds/r1/all/large', 'raw', '--force')).code).toBe(2);
    expect((await inTerminal(KINDS, 'plain')).stderr).toContain('--format text');
    expect(await inTerminal(KINDS, 'plain', '--format', 'text')).toMatchObject({
      code: 0,
      stdout: 'bytes that are text\n',
    });
  });
});
