import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync as realRename,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ListedWrites, ListPage } from '../../src/storage/contract.ts';
import { STALE_CLAIM_MS } from '../../src/storage/local/claim.ts';
import { localError } from '../../src/storage/local/errors.ts';
import { STALE_TMP_MS } from '../../src/storage/local/tmp-folder.ts';
import { LocalStorage } from '../../src/storage/local.ts';
import { encodeObjectName } from '../../src/storage/names.ts';
import { propertyRuns, test } from '../property.ts';
import { scratchFolder } from './scratch.ts';

const text = (value: string) => new TextEncoder().encode(value);
const folder = scratchFolder();
let count = 0;
function newPath(): string {
  count += 1;
  return join(folder, `store ${count}`);
}

async function listed(storage: LocalStorage, prefix = '', depth: 'all' | 'one' = 'all'): Promise<string[]> {
  const pages: ListPage[] = [];
  for await (const page of storage.list({ prefix, depth })) pages.push(page);
  return pages.flatMap((page) => [...page.objects.map((object) => object.name), ...page.folders]);
}

function failing(code: string): () => never {
  return () => {
    throw Object.assign(new Error(code), { code, syscall: 'test' });
  };
}

describe('what lies on the disk', () => {
  it('nothing, before the first write', async () => {
    const path = join(newPath(), 'deep');
    const storage = await LocalStorage.open(path);
    expect(await storage.get('a/b')).toBeUndefined();
    expect(await storage.head('a')).toBeUndefined();
    expect(await listed(storage)).toEqual([]);
    expect(await storage.delete(['a/b'])).toEqual([]);
    await storage.persist(['a']);
    await storage.close();
    expect(existsSync(join(path, '..'))).toBe(false);
  });

  it('a file for each object, by its encoded name, and an empty tmp', async () => {
    const path = newPath();
    const storage = await LocalStorage.open(path);
    await storage.create('a/b:c/aux', text('x'));
    await storage.overwrite('a/É', text('y'));
    expect(readFileSync(join(path, 'a/b%3Ac/%61ux'), 'utf8')).toBe('x');
    expect(readFileSync(join(path, 'a/É'), 'utf8')).toBe('y');
    expect(fileURLToPath(storage.uri('a/b:c/aux'))).toBe(join(path, 'a/b%3Ac/%61ux'));
    for (const name of ['a b', 'a-b.c/x_Y', 'runs/F/1/s/0/0.metadata.json', 'a/%', 'a~/É']) {
      const own = pathToFileURL(
        join(path, encodeObjectName(name, storage.capabilities.nameEncoding ?? 'exact')),
      );
      expect(storage.uri(name)).toBe(own.href);
    }
    expect(readdirSync(join(path, '.stowage-tmp'))).toEqual([]);
  });

  const name = fc
    .array(
      fc.constantFrom('a', 'A', '..', '.', '/', '%2E', '%', '\\', 'é', 'tmp', '.stowage-tmp', '~', ' ', '\0'),
      {
        minLength: 1,
        maxLength: 8,
      },
    )
    .map((parts) => parts.join(''));
  test.prop([name], { numRuns: 500 })('never a path outside its folder, whatever the name', async (wild) => {
    const storage = await LocalStorage.open('/base/store');
    let path: string;
    try {
      path = fileURLToPath(storage.uri(wild));
    } catch (error) {
      expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
      return;
    }
    expect(path.startsWith('/base/store/')).toBe(true);
    expect(path.split('/')).not.toContain('..');
    expect(path.startsWith('/base/store/.stowage-tmp')).toBe(false);
  });

  it('is listed without what others left there, but through symbolic links', async () => {
    const path = newPath();
    const storage = await LocalStorage.open(path);
    await storage.create('a/b', text('x'));
    for (const foreign of ['.nfs0001', '.DS_Store', 'a:b', 'AUX', 'x~1', '%2e', '%2E', '%2E%2E', '%2F']) {
      writeFileSync(join(path, 'a', foreign), 'foreign');
    }
    mkdirSync(join(path, 'empty/deeper/.git'), { recursive: true });
    const elsewhere = newPath();
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, 'object'), 'x');
    symlinkSync(elsewhere, join(path, 'linked'));
    symlinkSync('/nowhere/at/all', join(path, 'broken'));
    expect(await listed(storage)).toEqual(['a/b', 'linked/object']);
    expect(await listed(storage, '', 'one')).toEqual(['a/', 'linked/']);
    expect(await listed(storage, 'tmp/')).toEqual([]);
    expect((await storage.get('linked/object'))?.body).toEqual(text('x'));
  });

  it('loses the folders that deletes made empty, but never the root', async () => {
    const path = newPath();
    const storage = await LocalStorage.open(path);
    await storage.create('a/b/c/d', text('x'));
    await storage.create('a/e', text('x'));
    await storage.delete(['a/b/c/d']);
    expect(readdirSync(join(path, 'a'))).toEqual(['e']);
    await storage.delete(['a/e']);
    expect(readdirSync(path)).toEqual(['.stowage-tmp']);
    await storage.create('last', text('x'));
    rmSync(join(path, '.stowage-tmp'), { recursive: true });
    await storage.delete(['last']);
    expect(readdirSync(path)).toEqual([]);
  });

  it('cannot be both an object and a folder', async () => {
    const storage = await LocalStorage.open(newPath());
    await storage.create('a/b', text('x'));
    for (const call of [
      () => storage.create('a', text('x')),
      () => storage.create('a/b/c', text('x')),
      () => storage.overwrite('a', text('x')),
      () => storage.overwrite('a/b/c', text('x')),
    ]) {
      await expect(call()).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('folder'),
      });
    }
    expect(await listed(storage)).toEqual(['a/b']);
  });
});

describe('opening', () => {
  it('refuses a file, and what is no path', async () => {
    const path = newPath();
    writeFileSync(path, '');
    await expect(LocalStorage.open(path)).rejects.toMatchObject({ code: 'NOT_A_STORE' });
    await expect(LocalStorage.open(join(path, 'below'))).rejects.toMatchObject({ code: 'NOT_A_STORE' });
    for (const wrong of ['', 'a\0b', undefined]) {
      await expect(LocalStorage.open(wrong as string)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
  });

  it.each([
    ['{"names":"fold"}', 'fold'],
    ['{"names":"exact","digest":"x"}', 'exact'],
    ['{"names":"other"}', 'exact'],
    ['{"names":', 'exact'],
    ['null', 'exact'],
    ['', 'exact'],
  ])('reads the encoding of names from the record %s', async (record, encoding) => {
    const path = newPath();
    mkdirSync(path);
    writeFileSync(join(path, 'stowage.json'), record);
    const storage = await LocalStorage.open(path);
    expect(storage.capabilities.nameEncoding).toBe(encoding);
    await storage.create('A', text('x'));
    expect(existsSync(join(path, encoding === 'fold' ? '%41' : 'A'))).toBe(true);
  });

  it('lets the record decide before the option, and the option before the file system', async () => {
    const path = newPath();
    expect((await LocalStorage.open(path, { names: 'fold' })).capabilities.nameEncoding).toBe('fold');
    mkdirSync(path);
    writeFileSync(join(path, 'stowage.json'), '{"names":"exact"}');
    expect((await LocalStorage.open(path, { names: 'fold' })).capabilities.nameEncoding).toBe('exact');
  });
});

const OLD_S = (Date.now() - STALE_TMP_MS - 60_000) / 1000;

describe('unfinished writes', () => {
  it('are invisible, and removed when they are a day old by the clock of the file system', async () => {
    const path = newPath();
    mkdirSync(join(path, '.stowage-tmp'), { recursive: true });
    const old = [`${'0a'.repeat(12)}-12`, `claim-${'0a'.repeat(32)}`];
    const young = `${'0b'.repeat(12)}-1`;
    for (const name of [...old, young]) writeFileSync(join(path, '.stowage-tmp', name), 'torn');
    for (const name of old) utimesSync(join(path, '.stowage-tmp', name), OLD_S, OLD_S);
    const storage = await LocalStorage.open(path);
    expect(await listed(storage)).toEqual([]);
    expect(readdirSync(join(path, '.stowage-tmp'))).toHaveLength(3);
    await storage.create('a', text('x'));
    expect(readdirSync(join(path, '.stowage-tmp'))).toEqual([young]);
    expect(await listed(storage)).toEqual(['a']);
  });

  const foreign = fc.constantFrom(
    ...[
      'thesis.docx',
      'old',
      'claim-old',
      `claim-${'0A'.repeat(32)}`,
      `claim-${'0a'.repeat(31)}`,
      '0a'.repeat(12),
    ],
    ...[
      `${'0a'.repeat(12)}-`,
      `${'0a'.repeat(12)}-1.bak`,
      `.${'0a'.repeat(12)}-1`,
      `${'0a'.repeat(11)}-1`,
      '-1',
    ],
  );
  const own = `${'0a'.repeat(12)}-1`;
  test.prop([fc.uniqueArray(foreign, { minLength: 1 }), fc.boolean()], {
    numRuns: Math.ceil(propertyRuns / 4),
  })('of others, and whatever else lies where they could, stay, however old', async (names, isLinked) => {
    const path = newPath();
    const others = newPath();
    const folders = [
      path,
      join(path, 'tmp'),
      isLinked ? others : join(path, '.stowage-tmp'),
      join(path, 'a'),
    ];
    for (const folder of folders) mkdirSync(folder, { recursive: true });
    if (isLinked) symlinkSync(others, join(path, '.stowage-tmp'));
    // What bears a name that we give is ours where we put it, and nowhere else.
    const isOurs = (file: string): boolean => !isLinked && file === join(path, '.stowage-tmp', own);
    const files = folders.flatMap((folder) => [...names, own].map((name) => join(folder, name)));
    for (const file of files) {
      writeFileSync(file, 'mine');
      utimesSync(file, OLD_S, OLD_S);
    }
    const storage = await LocalStorage.open(path);
    await storage.create('a/b', text('x'));
    const found: string[] = [];
    for await (const { id } of (storage.unfinished as ListedWrites).find({ olderThanMs: 0 })) found.push(id);
    await storage.close();
    expect(files.filter((file) => !existsSync(file))).toEqual(files.filter(isOurs));
    expect(found).toEqual([]);
  });

  it('of others are not removed by name, either', async () => {
    const path = newPath();
    const storage = await LocalStorage.open(path);
    await storage.create('a', text('x'));
    const unfinished = storage.unfinished as ListedWrites;
    for (const id of ['thesis.docx', '../stowage.json', '..', '']) {
      const removed = unfinished.remove({ name: `.stowage-tmp/${id}`, id, startedAtMs: 0 });
      await expect(removed).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
  });

  it('leave nothing when stream, abort or link fail', async () => {
    const path = newPath();
    const storage = await LocalStorage.open(path, { system: { linkSync: failing('EIO') } });
    const broken = (async function* () {
      yield new Uint8Array(1_000_000);
      throw new Error('broken');
    })();
    await expect(storage.create('a', broken)).rejects.toThrow('broken');
    await expect(storage.create('a', text('x'))).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    const signal = AbortSignal.timeout(5);
    const endless = (async function* () {
      while (true) yield new Uint8Array(100_000);
    })();
    await expect(storage.create('a', endless, { signal })).rejects.toMatchObject({ code: 'ABORTED' });
    expect(readdirSync(join(path, '.stowage-tmp'))).toEqual([]);
  });

  it('a create finds its way when tmp and folders are removed under it', async () => {
    const path = newPath();
    const storage = await LocalStorage.open(path);
    await storage.create('a/b', text('x'));
    rmSync(path, { recursive: true });
    expect(await storage.create('a/b', text('y'))).toBe(true);
    expect((await storage.get('a/b'))?.body).toEqual(text('y'));
  });

  it('a file that was cut short beneath the storage is told by its length', async () => {
    const path = newPath();
    const storage = await LocalStorage.open(path);
    await storage.create('a', text('123456'));
    truncateSync(join(path, 'a'), 3);
    expect(await storage.get('a')).toMatchObject({ bytes: 3, body: text('123') });
  });
});

it('the time of an overwritten object goes on, though the clock stands still or goes back', async () => {
  const path = newPath();
  const storage = await LocalStorage.open(path);
  await storage.overwrite('a', text('x'));
  const futureS = Math.floor(Date.now() / 1000) + 3600;
  utimesSync(join(path, 'a'), futureS, futureS);
  let lastMs = futureS * 1000;
  for (let i = 0; i < 20; i += 1) {
    await storage.overwrite('a', text('x'));
    const modifiedAtMs = (await storage.head('a'))?.modifiedAtMs ?? 0;
    expect(modifiedAtMs).toBeGreaterThan(lastMs);
    lastMs = modifiedAtMs;
  }
});

describe('ifMatch', () => {
  const claimOf = (path: string) =>
    readdirSync(join(path, '.stowage-tmp')).filter((name) => name.startsWith('claim-'));

  it('leaves no claim behind, whether it held or not', async () => {
    const path = newPath();
    const storage = await LocalStorage.open(path);
    const version = await storage.overwrite('a', text('1'));
    await storage.overwrite('a', text('2'), { ifMatch: version });
    await expect(storage.overwrite('a', text('3'), { ifMatch: version })).rejects.toThrow();
    expect(readdirSync(join(path, '.stowage-tmp'))).toEqual([]);
  });

  it('respects the claim of another process for a minute, then takes over', async () => {
    const path = newPath();
    const storage = await LocalStorage.open(path, { system: {} });
    const version = await storage.overwrite('a', text('1'));
    // What a process that died between claim and rename leaves behind.
    const { createHash } = await import('node:crypto');
    const claim = join(
      path,
      '.stowage-tmp',
      `claim-${createHash('sha256').update(`a\0${version}`).digest('hex')}`,
    );
    writeFileSync(claim, '');
    await expect(storage.overwrite('a', text('2'), { ifMatch: version })).rejects.toMatchObject({
      code: 'PRECONDITION_FAILED',
    });
    expect(claimOf(path)).toHaveLength(1);
    const staleS = (Date.now() - STALE_CLAIM_MS - 5_000) / 1000;
    utimesSync(claim, staleS, staleS);
    await storage.overwrite('a', text('2'), { ifMatch: version });
    expect((await storage.get('a'))?.body).toEqual(text('2'));
    expect(claimOf(path)).toEqual([]);
  });

  /** A storage whose next replacement, all but its last step done, stops for longer than a claim holds while `meanwhile` runs. */
  const stopping = async (path: string, meanwhile: () => void, isLong = true) => {
    let isStopped = false;
    const renameSync = (from: string, to: string): void => {
      if (!isStopped) {
        isStopped = true;
        const staleS = (Date.now() - STALE_CLAIM_MS - 5_000) / 1000;
        if (isLong)
          for (const name of claimOf(path)) utimesSync(join(path, '.stowage-tmp', name), staleS, staleS);
        meanwhile();
      }
      realRename(from, to);
    };
    return LocalStorage.open(path, { system: { renameSync } });
  };

  it('puts nothing over what others stored while it was stopped, for however long', async () => {
    const path = newPath();
    const others = await LocalStorage.open(path);
    const version = await others.overwrite('a', text('1'));
    let second: Promise<string> | undefined;
    const stopped = await stopping(path, () => {
      second = others.overwrite('a', text('2'), { ifMatch: version });
    });
    await expect(stopped.overwrite('a', text('late'), { ifMatch: version })).rejects.toMatchObject({
      code: 'PRECONDITION_FAILED',
    });
    expect((await others.head('a'))?.version).toBe(await second);
    expect((await others.get('a'))?.body).toEqual(text('2'));
    expect(readdirSync(join(path, '.stowage-tmp'))).toEqual([]);
  });

  test.prop([
    fc.array(fc.record({ isLong: fc.boolean(), isLater: fc.boolean() }), { minLength: 1, maxLength: 5 }),
  ])('replaces each version once, whoever is stopped within another one that is stopped', async (stops) => {
    const path = newPath();
    const plain = await LocalStorage.open(path);
    const first = await plain.overwrite('a', text('first'));
    const written: { from: string; to: Promise<string>; body: string }[] = [];
    const writers = await Promise.all(
      stops.map(({ isLong }, i) => stopping(path, () => begin(i + 1), isLong)),
    );
    const begin = (i: number): void => {
      const storage = writers[i] ?? plain;
      // What is in place by now, or what was there at first.
      const stats = statSync(join(path, 'a'));
      const from = stops[i]?.isLater ? `${stats.ino}-${stats.mtimeMs}-${stats.size}` : first;
      const to = storage.overwrite('a', text(`by ${i}`), { ifMatch: from });
      to.catch(() => {}); // counted below
      written.push({ from, to, body: `by ${i}` });
    };
    begin(0);
    const results = await Promise.allSettled(written.map(({ to }) => to));
    const replaced = new Map<string, { to: string; body: string }>();
    for (const [i, result] of results.entries()) {
      const { from, body } = written[i] as (typeof written)[number];
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'PRECONDITION_FAILED' });
      else {
        expect(replaced.has(from)).toBe(false);
        replaced.set(from, { to: result.value, body });
      }
    }
    let last = { to: first, body: 'first' };
    for (let next = replaced.get(first); next; next = replaced.get(next.to)) last = next;
    expect((await plain.head('a'))?.version).toBe(last.to);
    expect((await plain.get('a'))?.body).toEqual(text(last.body));
  });

  it('is not kept waiting by one that died after it had replaced the object, or before', async () => {
    const path = newPath();
    const storage = await LocalStorage.open(path);
    const version = await storage.overwrite('a', text('1'));
    const dying = await LocalStorage.open(path, { system: { renameSync: failing('EIO') } });
    await expect(dying.overwrite('a', text('2'), { ifMatch: version })).rejects.toThrow();
    const next = await storage.overwrite('a', text('3'), { ifMatch: version });
    expect((await storage.head('a'))?.version).toBe(next);
    expect(readdirSync(join(path, '.stowage-tmp'))).toEqual([]);
  });
});

describe('errors of the system', () => {
  it.each(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL', 'ERR_ACCESS_DENIED'])(
    '%s of an fsync names fsync: false, by which the store works there',
    async (code) => {
      const system = { fsyncSync: failing(code), fsync: async () => failing(code)() };
      const path = newPath();
      const storage = await LocalStorage.open(path, { system });
      for (const bytes of [1, 100_000]) {
        await expect(storage.create('a', new Uint8Array(bytes))).rejects.toMatchObject({
          code: 'STORAGE_UNSUPPORTED',
          message: expect.stringContaining('fsync: false'),
        });
      }
      expect(await listed(storage)).toEqual([]);
      const unsynced = await LocalStorage.open(path, { system, fsync: false });
      expect(await unsynced.create('a', text('x'))).toBe(true);
    },
  );

  const at = { operation: 'create', name: 'the/object', path: '/the/path' };
  it.each([
    ['ENOSPC', 'STORAGE_FULL'],
    ['EDQUOT', 'STORAGE_FULL'],
    ['EACCES', 'STORAGE_NOT_PERMITTED'],
    ['EPERM', 'STORAGE_NOT_PERMITTED'],
    ['EROFS', 'STORAGE_NOT_PERMITTED'],
    ['EMFILE', 'STORAGE_UNAVAILABLE'],
    ['ENFILE', 'STORAGE_UNAVAILABLE'],
    ['EAGAIN', 'STORAGE_UNAVAILABLE'],
    ['EBUSY', 'STORAGE_UNAVAILABLE'],
    ['ESTALE', 'STORAGE_UNAVAILABLE'],
    ['EIO', 'STORAGE_FAILED'],
    ['EWHATEVER', 'STORAGE_FAILED'],
  ])('%s is %s, and says what, to what, where and what to do', (systemCode, code) => {
    const cause = Object.assign(new Error(systemCode), { code: systemCode, syscall: 'open' });
    const error = localError(cause, at);
    expect(error).toMatchObject({ code, cause, details: { ...at, systemCode } });
    expect(error.message).toMatch(new RegExp(`create "the/object" at /the/path: .*${systemCode}.*; \\w+`));
  });

  it.each([
    ['EMLINK', 'STORAGE_UNSUPPORTED'],
    ['ENOSYS', 'STORAGE_UNSUPPORTED'],
    ['ENOTSUP', 'STORAGE_UNSUPPORTED'],
    ['EOPNOTSUPP', 'STORAGE_UNSUPPORTED'],
    ['EPERM', 'STORAGE_UNSUPPORTED'],
    ['EXDEV', 'STORAGE_UNSUPPORTED'],
    ['EACCES', 'STORAGE_NOT_PERMITTED'],
    ['ENOSPC', 'STORAGE_FULL'],
  ])('%s of every link is %s', async (systemCode, code) => {
    const path = newPath();
    const storage = await LocalStorage.open(path, { system: { linkSync: failing(systemCode) } });
    await expect(storage.create('a', text('x'))).rejects.toMatchObject({ code, cause: { code: systemCode } });
    expect(readdirSync(join(path, '.stowage-tmp'))).toEqual([]);
  });

  it('EPERM of a link is a matter of permission where links work in tmp', async () => {
    const path = newPath();
    const linkSync = (_: string, to: string) => {
      if (!to.includes('/.stowage-tmp/')) failing('EPERM')();
    };
    const storage = await LocalStorage.open(path, { system: { linkSync } });
    await expect(storage.create('a', text('x'))).rejects.toMatchObject({ code: 'STORAGE_NOT_PERMITTED' });
  });

  it('a folder that vanishes every time is given up', async () => {
    let links = 0;
    const linkSync = () => {
      links += 1;
      failing('ENOENT')();
    };
    const storage = await LocalStorage.open(newPath(), { system: { linkSync } });
    await expect(storage.create('a/b', text('x'))).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    expect(links).toBe(16);
  });

  it('a path that is too long, or whose links lead nowhere or in circles, says so', async () => {
    const path = newPath();
    mkdirSync(path);
    symlinkSync(join(path, 'nowhere'), join(path, 'dangling'));
    symlinkSync(join(path, 'circle'), join(path, 'circle'));
    const attempt = async (...at: string[]) =>
      (await LocalStorage.open(join(path, ...at))).create('a/b', text('x'));
    await expect(attempt('x'.repeat(300))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('a folder with a shorter path'),
    });
    await expect(attempt('circle')).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('round in a circle'),
    });
    for (const at of [['dangling'], ['dangling', 'deep']]) {
      await expect(attempt(...at)).rejects.toMatchObject({
        code: 'STORAGE_FAILED',
        message: expect.stringContaining('a link on the way leads nowhere'),
      });
    }
  });
});
