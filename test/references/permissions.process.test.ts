import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { errorOf, noise, openFlow, scratchFolder } from '../flow/fixtures.ts';

const WORKER = join(import.meta.dirname, 'workers/without-permission.mjs');

// Root may read everything, and root alone can become somebody who may not.
const isRoot = process.getuid?.() === 0;

it.skipIf(!isRoot)(
  'files and folders that may not be read or written are typed errors, and nothing of them is kept (as root alone)',
  () => {
    const scratch = scratchFolder();
    const [readable, folder] = [join(scratch, 'readable'), join(scratch, 'folder')];
    for (const path of [readable, folder, join(folder, 'closed')]) mkdirSync(path);
    writeFileSync(join(readable, 'file'), 'all may read it');
    // One that a folder has before the others, so that something of it could be left.
    writeFileSync(join(folder, 'a-large'), noise(600_000));
    writeFileSync(join(folder, 'secret'), noise(600_000, 2));
    writeFileSync(join(folder, 'closed', 'file'), 'x');
    for (const path of [scratch, readable, folder]) chmodSync(path, 0o755);
    for (const path of [join(folder, 'secret'), join(folder, 'closed')]) chmodSync(path, 0);
    const { said, left } = JSON.parse(
      execFileSync(process.execPath, [WORKER, readable, folder], { encoding: 'utf8' }),
    );
    const denied = ['REFERENCE_UNREADABLE', 'EACCES'];
    expect(said).toEqual({
      file: denied,
      plain: denied,
      within: denied,
      task: denied,
      existing: denied,
      tree: denied,
      mixed: denied,
      closed: denied,
      download: ['DOWNLOAD_FAILED', null],
    });
    expect(left).toEqual([]);
    expect(readdirSync(folder).sort()).toEqual(['a-large', 'closed', 'secret']);
  },
);

it.skipIf(process.platform === 'win32')(
  'a pipe is refused, as a file and in a folder, and nobody waits for who writes to it',
  async () => {
    const scratch = scratchFolder();
    const [folder, pipe] = [join(scratch, 'folder'), join(scratch, 'folder', 'pipe')];
    mkdirSync(folder);
    execFileSync('mkfifo', [pipe]);
    const flow = await openFlow();
    for (const save of [
      () => flow.files.fromLocal(pipe),
      () => flow.files.fromLocal(pipe, { plain: true }),
      () => flow.directories.fromLocal(folder),
    ])
      expect((await errorOf(save, 'REFERENCE_UNREADABLE')).message).toContain(pipe);
    expect((await flow.directories.fromLocal(folder, { exclude: ['pipe'] })).fileCount).toBe(0);
  },
);
