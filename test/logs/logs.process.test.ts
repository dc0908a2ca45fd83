import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'vitest';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { errorOf, scratchFolder } from '../flow/fixtures.ts';
import { bytesOf, expectBytes, STORAGES, writerOn } from './log-fixtures.ts';

describe.each(STORAGES)('logs on %s', (_, open) => {
  it('hold what a child process writes to stdout and stderr, though it waits for both to be read', async () => {
    const storage = await open();
    const script = `
      const fs = require('node:fs');
      for (let i = 0; i < 40; i++) {
        fs.writeSync(2, 'e'.repeat(50000) + i + '\\n');
        fs.writeSync(1, 'ö'.repeat(30000) + i + '\\n');
      }`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
    await writerOn(storage).append('task', { stdout: child.stdout, stderr: child.stderr });
    const lines = (fill: string): string => Array.from({ length: 40 }, (_, i) => `${fill}${i}\n`).join('');
    expectBytes(await bytesOf(storage, 'stdout'), Buffer.from(lines('ö'.repeat(30000))));
    expectBytes(await bytesOf(storage, 'stderr'), Buffer.from(lines('e'.repeat(50000))));
  });
});

it.skipIf(process.platform === 'win32')('a named pipe does not stop the process', async () => {
  const pipe = join(scratchFolder(), 'pipe');
  execFileSync('mkfifo', [pipe]);
  const appended = writerOn(new MemoryStorage()).append('task', { out: { path: pipe } });
  await errorOf(appended, 'INVALID_ARGUMENT');
});
