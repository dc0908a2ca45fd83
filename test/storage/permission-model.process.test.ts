import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { scratchFolder } from './scratch.ts';

const PACKAGE = pathToFileURL(join(import.meta.dirname, '../../dist/index.js')).href;
const FLAG = Number(process.versions.node.split('.')[0]) >= 24 ? '--permission' : '--experimental-permission';
const PROGRAM = `
  const { openStorage } = await import(${JSON.stringify(PACKAGE)});
  const [path, fsync] = process.argv.slice(1);
  try {
    const storage = await openStorage(path, { local: { fsync: fsync === 'true' } });
    await storage.create('a', new Uint8Array(10));
    for (let i = 0; i < 50; i += 1) await storage.overwrite('b', new Uint8Array([i]));
    console.log('read', (await storage.get('b')).body[0]);
  } catch (error) {
    console.log(error.code, error.message);
  }
`;

it("Node's permission model gives typed errors, which name fsync: false, and a store that works with it", () => {
  const folder = scratchFolder();
  const [store, other] = [join(folder, 'store'), join(folder, 'other')];
  for (const path of [store, other]) mkdirSync(path);
  const run = (path: string, fsync: boolean): string => {
    const flags = [FLAG, '--allow-fs-read=*', `--allow-fs-write=${store}/*`, '--input-type=module'];
    const args = [...flags, '-e', PROGRAM, path, String(fsync)];
    return spawnSync(process.execPath, args, { encoding: 'utf8' }).stdout;
  };
  expect(run(store, true)).toMatch(/^STORAGE_UNSUPPORTED .*permission model.*fsync: false/);
  expect(run(store, false)).toBe('read 49\n');
  expect(run(other, false)).toMatch(/^STORAGE_NOT_PERMITTED .*--allow-fs-write/);
});
