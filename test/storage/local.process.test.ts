import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LocalStorage } from '../../src/storage/local.ts';
import { scratchFolder } from './scratch.ts';
import { hasSmallDisks, withSmallDisk } from './small-disk.ts';

const folder = scratchFolder();
let count = 0;
function newPath(): string {
  count += 1;
  return join(folder, `store ${count}`);
}

it.skipIf(process.platform === 'win32')(
  'a pipe in the place of an object is none, rather than waited for',
  () => {
    const path = newPath();
    mkdirSync(join(path, 'a'), { recursive: true });
    execFileSync('mkfifo', [join(path, 'a', 'pipe')]);
    // In a process of its own, since opening a pipe that nobody writes to waits for ever.
    const script = `
      import { openStorage } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)};
      const storage = await openStorage(${JSON.stringify(path)});
      console.log(await storage.get('a/pipe'), await storage.head('a/pipe'));
      await storage.close();`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
      encoding: 'utf8',
      timeout: 120_000,
      killSignal: 'SIGKILL',
    });
    expect(stdout.trim(), stderr).toBe('undefined undefined');
  },
  180_000,
);

it.skipIf(!existsSync('/proc/self'))(
  'a place where no folder can be made is refused, rather than tried for ever',
  () => {
    // In a process of its own: a call that never ends would take the one of the tests with it.
    const script = `
        import { openStorage } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)};
        const storage = await openStorage('/proc/nope/store');
        const tell = ({ code, message }) => code + ': ' + message;
        for (const body of [new Uint8Array(1), new Uint8Array(100_000)]) {
          console.log(await storage.create('a/b', body).catch(tell));
        }
        console.log(await storage.overwrite('a/b', new Uint8Array(1)).catch(tell));
        await storage.close();`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
      encoding: 'utf8',
      timeout: 120_000,
      killSignal: 'SIGKILL',
    });
    const refused =
      /^STORAGE_FAILED: Could not (create|overwrite) "a\/b" at \/proc\/nope\/store\/\.stowage-tmp\/[^ ]+: its folder cannot be made/;
    const lines = stdout.trim().split('\n');
    expect(lines, stderr).toEqual(
      [refused, refused, refused].map((pattern) => expect.stringMatching(pattern)),
    );
  },
  180_000,
);

describe.runIf(await hasSmallDisks())('a full disk', () => {
  it('is STORAGE_FULL, leaves nothing, and works again once there is room', async () => {
    await withSmallDisk('256k', async (path) => {
      const storage = await LocalStorage.open(path);
      expect(await storage.create('room', new Uint8Array(150_000))).toBe(true);
      const tooMuch = {
        small: async () => {
          for (let i = 0; i < 10; i += 1) await storage.create(`small/${i}`, new Uint8Array(60_000));
        },
        large: () => storage.create('large', new Uint8Array(300_000)),
        stream: () =>
          storage.create(
            'stream',
            (async function* () {
              for (let i = 0; i < 10; i += 1) yield new Uint8Array(100_000);
            })(),
          ),
        overwrite: () => storage.overwrite('overwrite', new Uint8Array(300_000)),
      };
      for (const [name, write] of Object.entries(tooMuch)) {
        await expect(write(), name).rejects.toMatchObject({
          code: 'STORAGE_FULL',
          message: expect.stringMatching(/free some space/),
          cause: { code: 'ENOSPC' },
        });
        expect(readdirSync(join(path, '.stowage-tmp')), name).toEqual([]);
      }
      expect((await storage.get('room'))?.body.length).toBe(150_000);
      await storage.delete(['room']);
      expect(await storage.create('large', new Uint8Array(100_000))).toBe(true);
    });
  });
});
