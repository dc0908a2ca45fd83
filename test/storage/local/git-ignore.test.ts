import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FlowDataStore } from '../../../src/flow-data-store.ts';
import { copyStore } from '../../../src/maintenance/copy-store.ts';
import { LocalStorage } from '../../../src/storage/local.ts';
import { openFlow, saveTask, scratchFolder } from '../../flow/fixtures.ts';

/** A folder that is a repository of git, as far as one looks at it from within. */
function repository(): string {
  const folder = scratchFolder();
  mkdirSync(join(folder, '.git'));
  return folder;
}
const ignored = (store: string) => {
  const path = join(store, '.gitignore');
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
};

describe('a store under git', () => {
  it('has a .gitignore of its own, which neither its listing nor its copies see', async () => {
    const store = join(repository(), 'deep/.stowage');
    const flow = await openFlow({ storage: store });
    await saveTask(flow, { a: 1 });
    expect(ignored(store)).toBe('*\n');
    const names: string[] = [];
    for await (const page of flow.storage.list({ prefix: '', depth: 'one' })) {
      names.push(...page.folders, ...page.objects.map(({ name }) => name));
    }
    expect(names).toEqual(['flows/', 'runs/', 'stowage.json']);
    const target = join(scratchFolder(), 'copy');
    await copyStore({ from: store, to: target });
    expect(ignored(target)).toBeUndefined();
    const copy = await FlowDataStore.open({ flowName: 'Test', storage: target });
    expect(await (await copy.getTaskDataStore('r1/fit/0')).get('a')).toBe(1);
    await copy.close();
  });

  it('has one where a file says where the repository is, as in worktrees and submodules', async () => {
    const folder = scratchFolder();
    writeFileSync(join(folder, '.git'), 'gitdir: elsewhere\n');
    const store = join(folder, 'store');
    await saveTask(await openFlow({ storage: store }), { a: 1 });
    expect(ignored(store)).toBe('*\n');
  });

  it('that shares its folder with files of others hides none of them', async () => {
    const folder = repository();
    await saveTask(await openFlow({ storage: folder }), { a: 1 });
    expect(ignored(folder)).toBeUndefined();
    const used = join(folder, 'used');
    mkdirSync(used);
    writeFileSync(join(used, 'notes.txt'), 'mine');
    await saveTask(await openFlow({ storage: used }), { a: 1 });
    expect(ignored(used)).toBeUndefined();
  });

  it('is written into no folder that has one, and is not made again for a store that was there', async () => {
    const store = join(repository(), 'store');
    mkdirSync(store);
    writeFileSync(join(store, '.gitignore'), '!keep\n');
    const storage = await LocalStorage.open(store);
    await storage.create('a', new Uint8Array(1));
    expect(ignored(store)).toBe('!keep\n');
    rmSync(join(store, '.gitignore'));
    rmSync(join(store, '.stowage-tmp'), { recursive: true });
    await storage.create('b', new Uint8Array(1));
    expect(ignored(store)).toBeUndefined();
  });

  it('hides the folder of content elsewhere as well', async () => {
    const folder = repository();
    const flow = await openFlow({ storage: join(folder, 'store'), rawDataPath: join(folder, 'data') });
    await saveTask(flow, { a: new Uint8Array(30_000) });
    expect(ignored(join(folder, 'data'))).toBe('*\n');
  });
});

it('a store that is under no git has no .gitignore', async () => {
  const store = join(scratchFolder(), 'store');
  await saveTask(await openFlow({ storage: store }), { a: 1 });
  expect(ignored(store)).toBeUndefined();
});
