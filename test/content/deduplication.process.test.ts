import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect } from 'vitest';
import { digestHex } from '../../src/digest/blake3.ts';
import { parseCopyName } from '../../src/format/content-names.ts';
import type { StoredContent } from '../../src/format/stored-content.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { LocalStorage } from '../../src/storage/local.ts';
import { test } from '../property.ts';
import { scratchFolder } from '../storage/scratch.ts';
import { codeOf, copiesIn, freshStore, namesOf } from './storages.ts';
import { contentOfSeed } from './workers/content-of-seed.mjs';

const folder = scratchFolder();

async function copiesOf(storage: DataStoreStorage, key: string): Promise<string[]> {
  return (await copiesIn(storage)).filter((name) => parseCopyName(name)?.key === key);
}

/** Saves contents in a process of its own, which begins when `go` is called. */
async function savingProcess(
  path: string,
  seeds: number[],
  times: number,
  form: string,
): Promise<() => Promise<StoredContent[]>> {
  const script = join(import.meta.dirname, 'workers', 'save-contents.mjs');
  const child = spawn(process.execPath, [script, path, seeds.join(), String(times), form], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (data) => {
    text += data;
  });
  const closed = once(child, 'close');
  await Promise.race([once(child.stdout, 'data'), closed]);
  return async () => {
    child.stdin.write('go\n');
    await closed;
    return JSON.parse(text.split('\n')[1] ?? 'null') as StoredContent[];
  };
}

const FORMS = ['bytes', 'streams'];

test.each(FORMS)(
  'processes that save the same %s at the same time leave at most a copy each; later ones none',
  async (form) => {
    const path = join(folder, `store of ${form}`);
    const seeds = [1, 2, 3, 4, 5, 6];
    const first = await Promise.all([0, 1, 2].map(() => savingProcess(path, seeds, 4, form)));
    const saved = (await Promise.all(first.map((go) => go()))).flat();
    await using storage = await LocalStorage.open(path);
    const copies = await copiesIn(storage);
    const later = await Promise.all([0, 1].map(() => savingProcess(path, seeds, 2, form)));
    saved.push(...(await Promise.all(later.map((go) => go()))).flat());
    expect(await copiesIn(storage)).toEqual(copies);

    const store = freshStore(storage);
    for (const seed of seeds) {
      const content = contentOfSeed(seed);
      const key = digestHex(content);
      const names = await copiesOf(storage, key);
      expect(names.length).toBeGreaterThan(0);
      expect(names.length).toBeLessThanOrEqual(3);
      for (const name of names) expect(await codeOf(store.reader.verifyCopy(name))).toBeUndefined();
      expect(Buffer.compare(await store.reader.load({ key }), content)).toBe(0);
    }
    const named = new Set<string>();
    for (const name of copies.filter((copy) => copy.startsWith('manifests/')))
      for (const pack of (await store.reader.describeCopy(name))?.packs ?? []) named.add(pack.name);
    expect(await namesOf(storage, 'packs/')).toEqual([...named].sort());
    expect(saved).toHaveLength(seeds.length * (3 * 4 + 2 * 2));
    for (const { copy } of saved) expect(copies).toContain(copy);
    expect((await namesOf(storage)).filter((name) => name.endsWith('.damaged'))).toEqual([]);
  },
);
