import { spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { LocalStorage } from '../../src/storage/local.ts';
import { scratchFolder } from './scratch.ts';

const NOBODY = 65_534;
const built = fileURLToPath(new URL('../../dist/index.js', import.meta.url));
const folder = scratchFolder();
chmodSync(folder, 0o755);
const isRoot = process.getuid?.() === 0;

beforeAll(() => {
  if (!existsSync(built))
    throw new Error('dist/ is missing: these tests run the compiled files; run `npm run build` first.');
});

interface Child {
  code: number | null;
  signal: string | null;
  lines: unknown[];
  stderr: string;
}

/** Runs a script that has `storage` open at `path`, and prints lines of JSON by `say`. */
function run(path: string, script: string, options: { uid?: number; killAt?: string } = {}): Promise<Child> {
  const source = `
    import { LocalStorage } from ${JSON.stringify(pathToFileURL(built).href)};
    const say = (value) => process.stdout.write(JSON.stringify(value ?? 'nothing') + '\\n');
    const text = (value) => new TextEncoder().encode(value);
    const codeOf = async (call) => { try { return await call(); } catch (error) { return error.code; } };
    const storage = await LocalStorage.open(${JSON.stringify(path)});
    ${script}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
    if (options.killAt && stdout.includes(options.killAt)) child.kill('SIGKILL');
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const complete = stdout.split('\n').slice(0, -1);
      resolve({ code, signal, stderr, lines: complete.map((line) => JSON.parse(line) as unknown) });
    });
  });
}

describe('several processes', () => {
  it('that race to create the same names: each name has exactly one winner, whose bytes are read', async () => {
    const path = join(folder, 'race');
    const names = Array.from({ length: 150 }, (_, i) => `f${i % 5}/n${i}`);
    const racers = Array.from({ length: 4 }, (_, me) =>
      run(
        path,
        `const startMs = ${Date.now() + 1500};
         await new Promise((go) => setTimeout(go, startMs - Date.now()));
         const won = [];
         for (const name of ${JSON.stringify(names)}) {
           const durability = ['immediate', 'deferred', 'barrier'][won.length % 3];
           if (await storage.create(name, text('${me}'.repeat(200)), { durability })) won.push(name);
           if (won.length % 7 === 0) await new Promise(setImmediate);
         }
         await storage.close();
         say(won);`,
      ),
    );
    const results = await Promise.all(racers);
    for (const result of results) expect(result.stderr).toBe('');
    const winnerOf = new Map<string, number>();
    for (const [me, result] of results.entries()) {
      for (const name of result.lines[0] as string[]) {
        expect(winnerOf.has(name), name).toBe(false);
        winnerOf.set(name, me);
      }
    }
    expect(winnerOf.size).toBe(names.length);
    const storage = await LocalStorage.open(path);
    for (const [name, me] of winnerOf) {
      expect(Buffer.from((await storage.get(name))?.body ?? []).toString(), name).toBe(`${me}`.repeat(200));
    }
    expect(readdirSync(join(path, '.stowage-tmp'))).toEqual([]);
  });

  it('that replace one version: one wins each round', async () => {
    const path = join(folder, 'versions');
    const storage = await LocalStorage.open(path);
    await storage.overwrite('counter', new TextEncoder().encode('0'));
    const script = `
      let won = 0;
      while (won < 40) {
        const { version, body } = await storage.get('counter');
        const next = text(String(Number(new TextDecoder().decode(body)) + 1));
        const result = await codeOf(() => storage.overwrite('counter', next, { ifMatch: version }));
        if (result !== 'PRECONDITION_FAILED') won += 1;
        await new Promise(setImmediate);
      }
      say(won);`;
    const results = await Promise.all([run(path, script), run(path, script), run(path, script)]);
    for (const result of results) expect(result).toMatchObject({ stderr: '', lines: [40] });
    expect(Buffer.from((await storage.get('counter'))?.body ?? []).toString()).toBe('120');
  });

  it('that delete and create in the same folders lose nothing', async () => {
    const path = join(folder, 'folders');
    const script = (me: number) => `
      for (let i = 0; i < 150; i += 1) {
        const names = ['x/y/z/', 'x/y/', 'x/v/'].map((folder) => folder + '${me}-' + i);
        for (const name of names) if (!(await storage.create(name, text(name)))) say('not created ' + name);
        for (const name of names) if (!(await storage.get(name))) say('lost ' + name);
        const failures = await storage.delete(i % 50 === 49 ? names.slice(1) : names);
        if (failures.length > 0) say(failures);
      }`;
    const results = await Promise.all([0, 1, 2].map((me) => run(path, script(me))));
    for (const result of results) expect(result).toMatchObject({ code: 0, stderr: '', lines: [] });
    const names: string[] = [];
    const storage = await LocalStorage.open(path);
    for await (const page of storage.list({ prefix: '' }))
      names.push(...page.objects.map((object) => object.name));
    expect(names).toEqual([0, 1, 2].flatMap((me) => [149, 49, 99].map((i) => `x/y/z/${me}-${i}`)));
  });

  it('that are killed leave whole objects and what lies in tmp, nothing else', async () => {
    const path = join(folder, 'killed');
    const script = `
      const body = new Uint8Array(2_000_000).fill(7);
      const half = async function* () { yield body; say('writing'); await new Promise(() => setInterval(() => {}, 1000)); };
      for (let i = 0; i < 5; i += 1) await storage.create('whole/' + i, body);
      await storage.create('half', half());`;
    const result = await run(path, script, { killAt: 'writing' });
    expect(result.signal).toBe('SIGKILL');
    const storage = await LocalStorage.open(path);
    const names: string[] = [];
    for await (const page of storage.list({ prefix: '', details: true })) {
      for (const object of page.objects) {
        names.push(object.name);
        expect(object.bytes).toBe(2_000_000);
      }
    }
    expect(names).toEqual([0, 1, 2, 3, 4].map((i) => `whole/${i}`));
    expect(readdirSync(join(path, '.stowage-tmp'))).toHaveLength(1);
    expect(await storage.create('half', new Uint8Array(1))).toBe(true);
  });

  it('that are killed at any moment among many creates leave no torn object', async () => {
    const path = join(folder, 'killed-often');
    const script = `
      say('started');
      for (let i = 0; ; i += 1) {
        await storage.create('n/' + process.pid + '-' + i, new Uint8Array(50_000).fill(i % 256), { durability: 'deferred' });
        if (i % 10 === 0) { say('at ' + i); await new Promise(setImmediate); }
      }`;
    const kills = await Promise.all(
      ['at 10', 'at 30', 'at 50'].map((killAt) => run(path, script, { killAt })),
    );
    expect(kills.map((kill) => kill.signal)).toEqual(['SIGKILL', 'SIGKILL', 'SIGKILL']);
    const storage = await LocalStorage.open(path);
    let objects = 0;
    for await (const page of storage.list({ prefix: 'n/' })) {
      for (const { name } of page.objects) {
        const body = (await storage.get(name))?.body as Uint8Array;
        objects += 1;
        expect(body.length, name).toBe(50_000);
        expect(
          body.every((byte) => byte === body[0]),
          name,
        ).toBe(true);
      }
    }
    expect(objects).toBeGreaterThan(90);
  });
});

if (!isRoot)
  console.warn('TESTED AS YOURSELF: permissions, because only root can become another user for a test.');

describe('permissions', () => {
  const uid = isRoot ? NOBODY : undefined;
  const as = uid === undefined ? {} : { uid };

  async function storeOfAnother(name: string, mode: number): Promise<string> {
    const path = join(folder, name);
    const storage = await LocalStorage.open(path);
    await storage.create('a/b', new TextEncoder().encode('x'));
    for (const one of ['a', '.stowage-tmp', '.']) chmodSync(join(path, one), mode);
    return path;
  }

  it('reading needs no permission to write, and writing says what is missing', async () => {
    const path = await storeOfAnother('readable', 0o555);
    const result = await run(
      path,
      `say(new TextDecoder().decode((await storage.get('a/b')).body));
       const names = [];
       for await (const page of storage.list({ prefix: '' })) names.push(...page.objects.map((object) => object.name));
       say(names);
       say(await codeOf(() => storage.create('a/c', text('x'))));
       say(await codeOf(() => storage.create('a/large', new Uint8Array(100_000))));
       say(await codeOf(() => storage.overwrite('a/b', text('x'))));
       say((await storage.delete(['a/b', 'a/missing'])).map(({ name, error }) => [name, error.code]));
       try { await storage.create('a/c', text('x')); } catch (error) { say(error.message); }
       await storage.close();`,
      as,
    );
    expect(result.stderr).toBe('');
    const refused = 'STORAGE_NOT_PERMITTED';
    expect(result.lines.slice(0, 6)).toEqual(['x', ['a/b'], refused, refused, refused, [['a/b', refused]]]);
    expect(result.lines[6]).toMatch(
      /create "a\/c" at .*readable\/\.stowage-tmp.*EACCES.*check the owner and the mode/,
    );
  });

  it('what may not be read is an error, never nothing', async () => {
    const path = await storeOfAnother('hidden', 0o111);
    const object = join(path, 'a/b');
    chmodSync(object, 0o000);
    const result = await run(
      path,
      `say(await codeOf(() => storage.get('a/b')));
       say(await codeOf(async () => { for await (const page of storage.list({ prefix: '' })); return 'listed'; }));
       say(await codeOf(async () => { for await (const page of storage.list({ prefix: 'a/', depth: 'one' })); return 'listed'; }));
       say(await codeOf(() => storage.get('a/missing')));`,
      as,
    );
    expect(result.stderr).toBe('');
    const refused = 'STORAGE_NOT_PERMITTED';
    expect(result.lines).toEqual([refused, refused, refused, 'nothing']);
  });

  it('a store of one’s own in a folder of others is written and synced, though they hide what is above', async () => {
    const above = join(folder, 'above');
    const path = join(above, 'mine');
    mkdirSync(path, { recursive: true });
    if (uid !== undefined) chownSync(path, uid, uid);
    chmodSync(above, 0o111);
    const result = await run(
      path,
      `say(await codeOf(() => storage.create('a/b', text('x'))));
       say(await codeOf(() => storage.create('a/c', text('x'), { durability: 'barrier' })));`,
      as,
    );
    chmodSync(above, 0o755);
    expect(result).toMatchObject({ stderr: '', lines: [true, true] });
    expect(statSync(join(path, 'a/b')).size).toBe(1);
  });

  it('a folder in the place of the store that may not be entered is an error', async () => {
    const locked = join(folder, 'locked');
    mkdirSync(locked);
    writeFileSync(join(locked, 'file'), '');
    chmodSync(locked, 0o000);
    const result = await run(
      join(folder, 'free'),
      `say(await codeOf(() => LocalStorage.open(${JSON.stringify(join(locked, 'store'))})));`,
      as,
    );
    chmodSync(locked, 0o755);
    rmSync(locked, { recursive: true });
    expect(result.lines).toEqual(['STORAGE_NOT_PERMITTED']);
  });
});
