import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { noise, openFlow, scratchFolder } from '../../flow/fixtures.ts';
import { test } from '../../property.ts';
import { until } from '../../waiting.ts';

const WORKER = join(import.meta.dirname, '../workers/save-folder.mjs');
const FILES = 300;
const FILE_BYTES = 20_000;
const LARGE_BYTES = 1_000_000;

afterEach(() => vi.unstubAllEnvs());

/** Waits until no clock can tell that a file was written just now. */
async function settle(root: string): Promise<void> {
  const newest = Math.max(...readdirSync(root).map((name) => statSync(join(root, name)).ctimeMs));
  await until(() => Date.now() - newest > (newest % 1 === 0 ? 2_200 : 150));
}

/** Small files and a large one. */
function folderOf(): string {
  const root = join(scratchFolder(), 'tree');
  mkdirSync(root);
  for (let file = 0; file < FILES; file++)
    writeFileSync(join(root, `${file}.bin`), noise(FILE_BYTES, file + 1));
  writeFileSync(join(root, 'large.bin'), noise(LARGE_BYTES, 9_999));
  return root;
}

/** Saves a folder in a process of its own. */
function save(store: string, root: string, index: string): { digest: string; read: number } {
  const env = { ...process.env, STOWAGE_FILE_INDEX: index };
  return JSON.parse(execFileSync(process.execPath, [WORKER, store, root], { env, encoding: 'utf8' }));
}

describe('a directory that another process saved', () => {
  it('is saved again without reading its files; of those that changed the packs about them are read', async () => {
    const root = folderOf();
    await settle(root);
    const scratch = scratchFolder();
    const [store, index] = [join(scratch, 'store'), join(scratch, 'index')];
    const all = FILES * FILE_BYTES + LARGE_BYTES;
    const first = save(store, root, index);
    const again = save(store, root, index);
    expect(again.digest).toBe(first.digest);
    if (existsSync('/proc/self/io')) {
      expect(first.read).toBeGreaterThan(all);
      expect(again.read).toBeLessThan(all / 20);
    }
    writeFileSync(join(root, '200.bin'), noise(FILE_BYTES, 77_777));
    const changed = save(store, root, index);
    expect(changed.digest).not.toBe(first.digest);
    expect(changed.digest).toBe(save(store, root, 'off').digest);
    if (existsSync('/proc/self/io')) {
      // The files of one pack.
      expect(changed.read).toBeLessThan(all * 0.9);
    }
  });

  const file = fc.integer({ min: 0, max: 3 });
  const action = fc.oneof(
    fc.record({ act: fc.constant('write'), file }),
    fc.record({ act: fc.constantFrom('forge', 'delete', 'swap'), file }),
    fc.constant({ act: 'wait', file: 0 }),
    fc.constantFrom({ act: 'save', file: 0 }, { act: 'save elsewhere', file: 0 }),
  );
  test.prop([fc.array(action, { minLength: 4, maxLength: 7 })], { numRuns: 8 })(
    'never tells other bytes than a file has, whatever was written when',
    async (actions) => {
      const [root, index, storage] = [folderOf(), join(scratchFolder(), 'index'), new MemoryStorage()];
      let written = 0;
      const write = (path: string): void => writeFileSync(path, `written ${'.'.repeat(++written)}`);
      for (const { act, file: number } of [...actions, { act: 'save', file: 0 }]) {
        const path = join(root, `${number}.bin`);
        if (act === 'write') write(path);
        else if (act === 'delete') rmSync(path, { force: true });
        else if (act === 'forge') {
          write(path);
          utimesSync(path, 1, 1);
        } else if (act === 'swap' && existsSync(path)) writeFileSync(join(root, 'other'), readFileSync(path));
        else if (act === 'wait') await settle(root);
        else if (act.startsWith('save')) {
          vi.stubEnv('STOWAGE_FILE_INDEX', index);
          const flow = await openFlow({ storage: act === 'save' ? storage : new MemoryStorage() });
          const saved = await flow.directories.fromLocal(root);
          vi.stubEnv('STOWAGE_FILE_INDEX', 'off');
          expect(saved.digest).toBe((await (await openFlow()).directories.fromLocal(root)).digest);
          const files = await saved.files();
          for (const one of files.filter(({ path: name }) => /^(other|[0-3]\.bin)$/.test(name)))
            expect(await one.text()).toBe(readFileSync(join(root, one.path), 'utf8'));
          for (const one of readdirSync(root).filter((name) => /^[0-3]\.bin$/.test(name)))
            expect(await (await flow.files.fromLocal(join(root, one))).text()).toBe(
              readFileSync(join(root, one), 'utf8'),
            );
        }
      }
    },
  );
});
