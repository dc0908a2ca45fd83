import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { afterThisTest } from '../cleanups.ts';
import { PROGRAM } from '../cli/fixture.ts';
import { scratchFolder } from '../flow/fixtures.ts';
import { isRoot, nobody, runScript } from '../flow/run-script.ts';
import { hasSmallDisks, withSmallDisk } from '../storage/small-disk.ts';
import { openIndex } from './indexes.ts';

/** What each of these scripts begins with. A process of its own has a file open, and leaves it as it leaves it. */
const BEGIN = `
  import { execFileSync, spawnSync } from 'node:child_process';
  import { randomBytes } from 'node:crypto';
  import { rmSync, writeFileSync } from 'node:fs';
  const open = (storage) => FlowDataStore.open({ flowName: 'Train', storage });
  const save = (flow, taskId, artifacts) => flow.task({ runId: 'r1', stepName: 'fit', taskId }, (task) => task.saveArtifacts(artifacts));
  const tell = (what, work) => work.then((value) => console.log(what, value), (error) => console.log(what, error.name, error.code, error.message));
  const countOf = async (answers) => { let count = 0; for await (const _ of answers) count += 1; return count; };
  const stowage = (...args) => {
    const { status, stderr } = spawnSync(process.execPath, [${JSON.stringify(PROGRAM)}, ...args], { encoding: 'utf8' });
    console.log(args[0], status, stderr.replaceAll(/\\s+/g, ' '));
  };
`;
const run = (script: string, args: string[], options: Parameters<typeof runScript>[2] = {}): string[] =>
  runScript(BEGIN + script, args, options)
    .trimEnd()
    .split('\n');

/** A folder that this user may write, and `nobody` may read. */
function newFolder(): string {
  const folder = scratchFolder();
  chmodSync(folder, 0o755);
  afterThisTest(() => chmodSync(folder, 0o755));
  return folder;
}

/** Takes the right to write from everybody but root. */
function takeRights(folder: string): void {
  for (const name of readdirSync(folder)) chmodSync(join(folder, name), 0o444);
  chmodSync(folder, isRoot ? 0o755 : 0o555);
}

describe.skipIf(process.platform === 'win32')('a file of SQLite, to a user who may only read', () => {
  const MAKE = `const flow = await open('sqlite:' + path); await save(flow, '0', { x: 1 }); await flow.close();`;
  const TRY = `
    const flow = await open('sqlite:' + path);
    await tell('read', flow.getTaskDataStore('r1/fit/0').then((task) => task.get('x')));
    await tell('write', save(flow, '1', { x: 2 }));
    await tell('index', StoreIndex.open({ store: 'sqlite:' + path }).then((index) => index.catchUp()));
    stowage('runs', '--store', 'sqlite:' + path);`;

  it('is read, refuses to be written, and has nothing made beside it', () => {
    const folder = newFolder();
    const path = join(folder, 'runs.db');
    expect(run(MAKE, [path])).toEqual(['']);
    const before = readdirSync(folder);
    takeRights(folder);
    const bytes = readFileSync(path);
    const [read, write, index, runs, ...more] = run(TRY, [path], { uid: nobody });
    // Without the files of its log, which a library may leave or remove, SQLite cannot read it there.
    if (existsSync(`${path}-shm`))
      expect([read, runs]).toEqual(['read 1', expect.stringMatching(/^runs 0 /)]);
    else expect(read).toMatch(/STORAGE_NOT_PERMITTED .*its folder/);
    for (const line of [write, index])
      expect(line).toMatch(
        /StowageError STORAGE_NOT_PERMITTED .*may only be read .*have the file, and its folder/,
      );
    expect(more).toEqual([]);
    expect([readdirSync(folder), readFileSync(path)]).toEqual([before, bytes]);
  });

  it('that lies alone in a folder that is not theirs, or that they may not even read, says what is missing', () => {
    const folder = newFolder();
    const path = join(folder, 'runs.db');
    run(MAKE, [path]);
    // As a copy of it lies somewhere, all in one file.
    run(`await StoreIndex.open({ store: 'sqlite:' + path }).then((index) => index.catchUp());`, [path]);
    run(CHECKPOINT, [path]);
    for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
    takeRights(folder);
    const [alone, , , runs] = run(TRY, [path], { uid: nobody });
    expect(alone).toMatch(
      /read StowageError STORAGE_NOT_PERMITTED .*have the file, and its folder, writable/,
    );
    expect(runs).toMatch(/^runs 1 .*have the file, and its folder, writable/);
    expect(readdirSync(folder)).toEqual(['runs.db']);
    chmodSync(path, 0o000);
    const [unreadable] = run(TRY, [path], { uid: nobody });
    expect(unreadable).toMatch(/read StowageError STORAGE_NOT_PERMITTED .*may read and write both/);
  });

  const CHECKPOINT = `
    const { createRequire } = await import('node:module');
    const sqlite = process.getBuiltinModule?.('node:sqlite');
    const Database = sqlite?.DatabaseSync ?? createRequire(${JSON.stringify(import.meta.filename)})('libsql');
    const database = new Database(path);
    database.prepare('pragma wal_checkpoint(truncate)').all();
    database.close();`;
});

describe.skipIf(process.platform === 'win32')('an index, to a user who may only read it', () => {
  let folder: string;
  let path: string;
  const index = (): string => join(folder, 'indexes', 'index.db');

  beforeEach(() => {
    folder = newFolder();
    path = join(folder, 'store');
    mkdirSync(join(folder, 'indexes'));
    const script = `
      const flow = await open(path);
      await save(flow, '0', { x: 1 });
      await flow.close();
      const index = await StoreIndex.open({ store: path, path: more[0] });
      await index.catchUp();
      await index.close();`;
    expect(run(script, [path, index()])).toEqual(['']);
    afterThisTest(() => chmodSync(join(folder, 'indexes'), 0o755));
  });

  it('answers as it is, and refuses to be caught up with a way out', async () => {
    // Somebody has it open: without the files of its log it cannot be read there.
    const { index: theirs } = await openIndex({ store: path, path: index() });
    await theirs.catchUp();
    takeRights(join(folder, 'indexes'));
    const before = readdirSync(join(folder, 'indexes'));
    const script = `
      const index = await StoreIndex.open({ store: path, path: more[0] });
      await tell('catchUp', index.catchUp());
      await tell('rebuild', index.rebuild());
      await tell('find', countOf(index.find()));
      stowage('find', '--store', path, '--index', more[0]);
      stowage('find', '--store', path, '--index', more[0], '--no-update');`;
    const [catchUp, rebuild, find, refused, asked] = run(script, [path, index()], { uid: nobody });
    for (const line of [catchUp, rebuild])
      expect(line).toMatch(/StowageError STORAGE_NOT_PERMITTED Cannot write the index .*may only be read/);
    expect(find).toBe('find 1');
    expect(refused).toMatch(/^find 1 .*may only be read .*To ask the index as it is: --no-update\. ?$/);
    expect(asked).toMatch(/^find 0 stowage: the index was caught up/);
    expect(readdirSync(join(folder, 'indexes'))).toEqual(before);
  });

  it('in a folder that takes no file, or that cannot be made, says so', () => {
    takeRights(join(folder, 'indexes'));
    const script = `
      const index = await StoreIndex.open({ store: path, path: more[0] });
      await tell('new', index.catchUp());
      const byId = await StoreIndex.open({ store: path });
      await tell('by id', byId.catchUp());
      stowage('index', '--store', path);`;
    const env = { STOWAGE_INDEXES: join(folder, 'indexes', 'of', 'nobody') };
    const [file, byId, command] = run(script, [path, join(folder, 'indexes', 'new.db')], {
      uid: nobody,
      env,
    });
    expect(file).toMatch(
      /new StowageError STORAGE_NOT_PERMITTED .*cannot be opened .*this user may read and write both/,
    );
    expect(byId).toMatch(
      /by id StowageError STORAGE_NOT_PERMITTED .*may not do that there .*STOWAGE_INDEXES/,
    );
    expect(command).toMatch(/^index 1 .*a folder by STOWAGE_INDEXES/);
    expect(existsSync(env.STOWAGE_INDEXES)).toBe(false);
  });
});

describe.runIf(await hasSmallDisks())('a full disk beneath the file of an index', () => {
  it('is told, what was written is gone on from, and no question is answered by a part', async () => {
    await withSmallDisk('12m', async (disk) => {
      const script = `
        const flow = await open(path);
        const values = Object.fromEntries(Array.from({ length: 30 }, (_, at) => ['a' + at, at]));
        await Promise.all(Array.from({ length: 120 }, (_, task) => save(flow, String(task), values)));
        await flow.close();
        writeFileSync(more[0] + '/ballast', randomBytes(12_000_000));
        const index = await StoreIndex.open({ store: path, path: more[0] + '/index.db' });
        await tell('full', index.catchUp());
        await tell('find', countOf(index.find()));
        stowage('index', '--store', path, '--index', more[0] + '/index.db');
        rmSync(more[0] + '/ballast');
        await tell('room', index.catchUp().then(({ unreadable }) => unreadable));
        await tell('find', countOf(index.find({ limit: 1000 })));
        await index.close();`;
      const [full, part, command, room, whole, ...more] = run(script, [join(newFolder(), 'store'), disk]);
      expect(full).toMatch(/full StowageError STORAGE_FULL Cannot write the index .*no room .*make room/);
      expect(part).toMatch(/find StowageError INDEX_NOT_READY/);
      expect(command).toMatch(/^index 1 .*no room .*make room, and try again/);
      expect([room, whole, more]).toEqual(['room 0', 'find 120', []]);
    });
  });
});
