import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { json, makeStore, noise, RUN, scratchFolder, stowage } from './fixture.ts';

const folder = scratchFolder();
let store: string;
beforeAll(async () => {
  store = await makeStore(folder);
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
    expect(await stowage(store, ['get', `${RUN}/load/0`, 'raw', '-o', target])).toMatchObject({
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
