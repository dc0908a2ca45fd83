import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../src/index.ts';
import { parseReport } from '../reports/parsed-report.ts';
import { until } from '../waiting.ts';
import { scratchFolder } from './fixture.ts';
import { stowageProcess } from './program-process.ts';

const folder = scratchFolder();

describe.skipIf(process.platform === 'win32')('stowage report --open', () => {
  it('opens the file of a folder in the browser, and tells where there is none', async () => {
    const store = join(folder, 'store');
    const uri = await makeReport(store);
    const [browser, opened] = [join(folder, 'browser'), join(folder, 'opened')];
    writeFileSync(browser, `#!/bin/sh\nprintf '%s\\n' "$1" > '${opened}'\n`);
    chmodSync(browser, 0o755);
    const args = ['report', 'Train/r1/fit/0', '--open'];
    const { code, stderr } = await stowageProcess(store, args, { BROWSER: browser });
    expect([code, stderr]).toEqual([0, `stowage: opened ${uri}\n`]);
    await until(() => existsSync(opened) && readFileSync(opened, 'utf8').endsWith('\n'));
    const address = readFileSync(opened, 'utf8').trim();
    expect(address).toBe(uri);
    expect(parseReport(readFileSync(fileURLToPath(address))).text).toContain('it fell');
    const none = await stowageProcess(store, args, { BROWSER: join(folder, 'nothing') });
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('Open it yourself')]);
  });
});

/** A task with a report; resolves to its address. */
async function makeReport(storage: string): Promise<string> {
  await using flow = await FlowDataStore.open({ flowName: 'Train', storage });
  await flow.task({ runId: 'r1', stepName: 'fit', taskId: '0' }, (task) => {
    task.report('loss').text('it fell');
  });
  const task = await flow.getTaskDataStore('r1/fit/0');
  return (await task.reports())[0]?.uri as string;
}
