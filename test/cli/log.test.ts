import { beforeAll, describe, expect, it } from 'vitest';
import { json, makeStore, RUN, scratchFolder, stowage } from './fixture.ts';

let store: string;
beforeAll(async () => {
  store = await makeStore(scratchFolder());
});

describe('stowage log', () => {
  it('writes all logs of a task under headers, as they are', async () => {
    const { code, stdout } = await stowage(store, ['log', `${RUN}/load/0`]);
    expect(code).toBe(0);
    expect(stdout).toBe(
      [
        `==> ${RUN}/load/0/0 runtime stdout <==\nstarted\n`,
        `==> ${RUN}/load/0/0 task stderr <==\na warning\n`,
        `==> ${RUN}/load/0/0 task stdout <==\nloading\n\x1b[32mgreen\x1b[0m \x1b]0;evil\x07\n`,
      ].join('\n'),
    );
  });

  it('writes a single log without a header', async () => {
    const args = ['log', `${RUN}/load/0`, '--source', 'task', '--stream', 'stderr'];
    expect((await stowage(store, args)).stdout).toBe('a warning\n');
    expect((await stowage(store, ['log', `${RUN}/report`])).stdout).toBe('so far\n');
  });

  it('--json: the texts', async () => {
    const { logs } = await json(store, ['log', `${RUN}/load/0`, '--source', 'task']);
    expect(logs).toEqual([
      {
        flow: 'Train',
        run: '2026-01-31T08:00:00Z',
        step: 'load',
        task: '0',
        attempt: 0,
        source: 'task',
        stream: 'stderr',
        bytes: 10,
        text: 'a warning\n',
      },
      expect.objectContaining({ stream: 'stdout', text: 'loading\n\x1b[32mgreen\x1b[0m \x1b]0;evil\x07\n' }),
    ]);
    expect(await json(store, ['log', `${RUN}/fit`])).toEqual({ logs: [] });
  });

  it('says so where there is nothing, or not what was asked for', async () => {
    expect(await stowage(store, ['log', `${RUN}/fit`])).toMatchObject({
      code: 0,
      stdout: '',
      stderr: 'stowage: nothing was logged.\n',
    });
    const wrong = await stowage(store, ['log', `${RUN}/load/0`, '--source', 'runtim']);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('Did you mean runtime?');
    expect((await stowage(store, ['log', RUN, '--attempt', '0'])).code).toBe(2);
    expect(
      (await stowage(store, ['log', RUN, '--attempt', 'latest-done', '--stream', 'stderr'])).stdout,
    ).toBe('a warning\n');
  });
});
