import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SqliteStorage } from '../../src/storage/databases.ts';
import { openStorage } from '../../src/storage/open.ts';
import { loadSqlite, type SqliteConnection } from '../../src/storage/sql/sqlite/library.ts';
import { afterThisTest } from '../cleanups.ts';
import { errorOf, objectNames } from '../flow/fixtures.ts';
import { scratchFolder } from './scratch.ts';

const BODY = new TextEncoder().encode('x');
const folder = scratchFolder();
let files = 0;

function newFile(): string {
  files += 1;
  return join(folder, `${files}.db`);
}

async function open(path: string): Promise<SqliteStorage> {
  const storage = await SqliteStorage.open(`sqlite:${path}`);
  afterThisTest(() => storage.close());
  return storage;
}

/** The file as another program has it open. */
async function byHand(path: string): Promise<SqliteConnection> {
  const connection = (await loadSqlite()).open(path, { readOnly: false });
  afterThisTest(() => void connection.close());
  return connection;
}

describe('a file of SQLite', () => {
  it('is not made by reading, nor by an address of a folder that is not there', async () => {
    const path = newFile();
    const storage = await open(path);
    expect(await storage.get('a')).toBeUndefined();
    expect(await objectNames(storage)).toEqual([]);
    expect(await storage.delete(['a'])).toEqual([]);
    expect(existsSync(path)).toBe(false);
    const lost = await open(join(folder, 'no such folder', 'a.db'));
    expect((await errorOf(lost.create('a', BODY), 'STORAGE_FAILED')).message).toContain('make it first');
    expect(readdirSync(folder)).not.toContain('no such folder');
  });

  it('is taken by address: relative, absolute, as a URL, and for no other thing', async () => {
    const path = newFile();
    await (await open(path)).create('a', BODY);
    for (const address of [`sqlite:${path}`, `sqlite://${path}`]) {
      const storage = await openStorage(address);
      expect((await storage.get('a'))?.body).toEqual(BODY);
      expect(storage.uri('a b/c')).toBe(`sqlite://${path}/a%20b/c`);
      await storage.close();
    }
    for (const address of [
      'sqlite:',
      'sqlite::memory:',
      'sqlite:folder/',
      'sqlite://host/a.db',
      'sqlite:~/a.db',
    ])
      await errorOf(openStorage(address), 'INVALID_ARGUMENT');
  });

  it('of another program is left alone', async () => {
    const path = newFile();
    (await byHand(path)).exec('create table theirs (x int)');
    const storage = await open(path);
    for (const call of [
      () => storage.get('a'),
      () => storage.create('a', BODY),
      () => storage.delete(['a']),
    ]) {
      const failure = await call().then(
        (result) => (Array.isArray(result) ? result[0]?.error : result),
        (error: unknown) => error,
      );
      expect(failure).toMatchObject({ code: 'NOT_A_STORE' });
    }
    const tables = (await byHand(path)).prepare('select name from sqlite_master').all();
    expect(tables).toEqual([{ name: 'theirs' }]);
  });

  it('that is no database, or one of a newer release, is refused by name', async () => {
    const [text, newer] = [newFile(), newFile()];
    writeFileSync(text, 'hello '.repeat(1000));
    await errorOf((await open(text)).get('a'), 'NOT_A_STORE');
    await (await open(newer)).create('a', BODY);
    (await byHand(newer)).exec('pragma user_version = 7');
    const error = await errorOf((await open(newer)).get('a'), 'UNSUPPORTED_FORMAT');
    expect(error.message).toContain('tables of version 7');
  });

  it('that was removed or replaced takes nothing more', async () => {
    const path = newFile();
    const storage = await open(path);
    await storage.create('a', BODY);
    rmSync(path);
    await errorOf(storage.create('b', BODY), 'STORE_GONE');
    const other = newFile();
    await (await open(other)).create('a', BODY);
    renameSync(other, path);
    await errorOf(storage.create('b', BODY), 'STORE_GONE');
    expect(await (await open(path)).get('b')).toBeUndefined();
  });

  it('waits for another process that writes, while the event loop turns', async () => {
    const path = newFile();
    const storage = await open(path);
    await storage.create('a', BODY);
    const other = await byHand(path);
    other.exec('begin immediate');
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
      if (turns === 20) other.exec('commit');
    }, 1);
    const reads = await storage.get('a');
    expect(reads?.body).toEqual(BODY);
    expect(turns).toBeLessThan(20); // readers do not wait
    expect(await storage.create('b', BODY)).toBe(true);
    clearInterval(timer);
    expect(turns).toBeGreaterThanOrEqual(20);
  });

  it('gives a version once, also after a delete', async () => {
    const storage = await open(newFile());
    const versions = new Set<string>();
    for (let round = 0; round < 5; round += 1) {
      await storage.create('a', BODY);
      versions.add((await storage.head('a'))?.version as string);
      versions.add(await storage.overwrite('a', BODY));
      const old = (await storage.head('a'))?.version as string;
      await storage.delete(['a']);
      await storage.create('a', BODY);
      versions.add((await storage.head('a'))?.version as string);
      await errorOf(storage.overwrite('a', BODY, { ifMatch: old }), 'PRECONDITION_FAILED');
      await storage.delete(['a']);
    }
    expect(versions.size).toBe(15);
  });

  it('holds objects of 8 MiB, and says where larger ones belong', async () => {
    const path = newFile();
    const storage = await open(path);
    const most = new Uint8Array(8 * 1024 * 1024).fill(3);
    expect(await storage.create('most', most)).toBe(true);
    expect((await storage.get('most', { range: { offset: most.length - 2, length: 9 } }))?.body).toEqual(
      new Uint8Array([3, 3]),
    );
    const error = await errorOf(storage.create('more', new Uint8Array(most.length + 1)), 'OBJECT_TOO_LARGE');
    expect(error.message).toContain('rawDataPath');
    expect(await storage.create('packs/s/1', new Uint8Array(most.length + 1))).toBe(true);
    expect(existsSync(join(`${path}.content`, 'packs'))).toBe(true);
  });

  it.runIf(process.getuid?.() !== 0)(
    'that may only be read is read, and says so when it is to be written',
    async () => {
      const own = join(scratchFolder(), 'own');
      mkdirSync(own);
      const path = join(own, 'a.db');
      await (await open(path)).create('a', BODY);
      chmodSync(path, 0o444);
      chmodSync(own, 0o555);
      afterThisTest(() => chmodSync(own, 0o755));
      await errorOf((await open(path)).create('b', BODY), 'STORAGE_NOT_PERMITTED');
    },
  );
});
