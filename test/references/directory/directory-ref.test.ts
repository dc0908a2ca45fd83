import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { ContentAddressedStore } from '../../../src/content-addressed-store.ts';
import { digestHex } from '../../../src/digest/blake3.ts';
import type { FlowDataStore } from '../../../src/flow-data-store.ts';
import { collectGarbage } from '../../../src/maintenance/collection/collect-garbage.ts';
import { copyStore } from '../../../src/maintenance/copy-store.ts';
import { DirectoryRef } from '../../../src/references/directory/directory-ref.ts';
import { checkFolded, checkPlatform } from '../../../src/references/directory/download-directory.ts';
import { directoryRef } from '../../../src/references/schemas.ts';
import type { DataStoreStorage } from '../../../src/storage/contract.ts';
import { StorageDecorator } from '../../../src/storage/decorator.ts';
import { MemoryStorage } from '../../../src/storage/memory.ts';
import { afterThisTest } from '../../cleanups.ts';
import { errorOf, noise, objectNames, openFlow, scratchFolder } from '../../flow/fixtures.ts';
import { markClosed } from '../../maintenance/collection/histories.ts';
import { type Gate, gate, until } from '../../waiting.ts';
import { foldsCaseBelow, openedBelow } from '../system-calls.ts';

const spec = { runId: 'r1', stepName: 'fit', taskId: '0' };
const isContent = (name: string): boolean => /^(data|manifests|packs|plain)\//.test(name);

/** A folder with files, by their paths. Their times are of long ago, so that a process may remember them. */
function folderOf(files: Record<string, string | Uint8Array>): string {
  const root = join(scratchFolder(), 'tree');
  mkdirSync(root);
  for (const [path, bytes] of Object.entries(files)) put(root, path, bytes);
  return root;
}

function put(root: string, path: string, bytes: string | Uint8Array): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), bytes);
}

function treeIn(root: string): Record<string, string> {
  const paths = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(
    paths.sort().map((path) => [path.slice(root.length + 1), digestHex(readFileSync(path))]),
  );
}

const TREE: Record<string, string | Uint8Array> = {
  'a.txt': 'a',
  'b/empty': '',
  'b/large.bin': noise(700_000, 1),
  'b/c/deep.txt': 'deep',
  'b/same.txt': 'a',
  'Ünïcödé/🙂.txt': 'smile',
  'Ünïcödé/ﬀ.txt': 'ligature',
  ...Object.fromEntries(
    Array.from({ length: 40 }, (_, index) => [`many/${index}`, noise(90_000, index + 2)]),
  ),
};

async function collect(storage: DataStoreStorage): Promise<void> {
  const content = new ContentAddressedStore(storage);
  await collectGarbage(content);
  await content.close();
}

describe('a directory', () => {
  it('is saved, read file by file, and written elsewhere as it was', async () => {
    const flow = await openFlow();
    const root = folderOf(TREE);
    chmodSync(join(root, 'a.txt'), 0o755);
    const directory = await flow.directories.fromLocal(root);
    expect(directory).toMatchObject({ kind: 'directory', name: 'tree', fileCount: Object.keys(TREE).length });
    const files = await directory.files();
    const paths = files.map(({ path }) => path);
    expect(paths).toEqual([...paths].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    expect(new Set(paths)).toEqual(new Set(Object.keys(TREE)));
    for (const file of files) {
      const bytes = Buffer.from(TREE[file.path] as string | Uint8Array);
      expect(Buffer.from(await file.bytes())).toEqual(bytes);
      expect(file).toMatchObject({
        size: bytes.length,
        digest: digestHex(bytes),
        executable: file.path === 'a.txt',
      });
      expect(Buffer.from(await file.range(1, 2))).toEqual(bytes.subarray(1, 3));
    }
    const target = join(scratchFolder(), 'down');
    const told: number[] = [];
    await directory.download(target, { onProgress: ({ itemsDone }) => told.push(itemsDone) });
    expect(treeIn(target)).toEqual(treeIn(root));
    expect(told.at(-1)).toBe(files.length);
    expect(statSync(join(target, 'a.txt')).mode & 0o111).toBe(0o111);
    expect(statSync(join(target, 'b/same.txt')).mode & 0o111).toBe(0);
  });

  it('finds a file by its path, those of a folder, and says what it has not', async () => {
    const flow = await openFlow();
    const directory = await flow.directories.fromLocal(folderOf(TREE));
    expect(await (await directory.get('b/c/deep.txt')).text()).toBe('deep');
    expect(await directory.has('b/c')).toBe(false);
    expect(await directory.has('b/c/deep.txt')).toBe(true);
    expect((await directory.files({ under: 'b' })).map(({ path }) => path)).toEqual([
      'b/c/deep.txt',
      'b/empty',
      'b/large.bin',
      'b/same.txt',
    ]);
    const error = await errorOf(directory.get('b/c/deap.txt'), 'REFERENCE_NOT_FOUND');
    expect(error.message).toMatch(/tree has no file "b\/c\/deap.txt".* Did you mean b\/c\/deep.txt/);
    expect((await errorOf(directory.get('zzz'), 'REFERENCE_NOT_FOUND')).message).toContain('It has a.txt,');
    await errorOf(directory.files({ under: 5 } as never), 'INVALID_ARGUMENT');
  });

  it('has files that are no values, and says how one is saved by itself', async () => {
    const flow = await openFlow();
    const file = await (await flow.directories.fromLocal(folderOf(TREE))).get('a.txt');
    const task = await flow.createTaskDataStore({ runId: 'r1', stepName: 's', taskId: '0' });
    const error = await errorOf(task.saveArtifacts({ file: [file] }), 'UNSERIALIZABLE_ARTIFACT');
    expect(error.message).toContain('task.files.fromData(file.name, file.open())');
    await task.fail(error);
  });

  it('is named by its path or its URL', async () => {
    const flow = await openFlow();
    const root = folderOf(TREE);
    const [one, other] = [
      await flow.directories.fromLocal(root),
      await flow.directories.fromLocal(pathToFileURL(root)),
    ];
    expect([other.digest, other.name]).toEqual([one.digest, one.name]);
    await errorOf(flow.directories.fromLocal('s3://bucket/folder'), 'INVALID_ARGUMENT');
  });

  it('names its listing, packs and large files, and not each of its files', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const root = folderOf(
      Object.fromEntries(Array.from({ length: 3_000 }, (_, index) => [`${index}`, `file ${index}`])),
    );
    put(root, 'large', noise(300_000));
    await flow.task(spec, async (task) =>
      task.saveArtifacts({ tree: await task.directories.fromLocal(root) }),
    );
    expect((await objectNames(storage)).filter(isContent).length).toBeLessThan(10);
    const description = (await storage.get('flows/Test/r1/fit/0/0.metadata.json'))?.body as Uint8Array;
    const [row] = JSON.parse(Buffer.from(description).toString()).artifacts;
    expect(row.refs).toHaveLength(3);
    expect(row.bytes).toBeLessThan(500);
  });

  it('has a digest of its entries: paths, bytes, and whether they may be run', async () => {
    const flow = await openFlow();
    const digestOf = async (files: Record<string, string>, mode = 0o644): Promise<string> => {
      const root = folderOf(files);
      for (const path of Object.keys(files)) chmodSync(join(root, path), mode);
      return (await flow.directories.fromLocal(root)).digest;
    };
    const first = await digestOf({ a: '1', b: '2' });
    expect(await digestOf({ b: '2', a: '1' })).toBe(first);
    const others = [
      await digestOf({ a: '1', b: '3' }),
      await digestOf({ a: '1', c: '2' }),
      await digestOf({ a: '1', b: '2' }, 0o755),
      await digestOf({ a: '1' }),
      await digestOf({ a: '2', b: '1' }),
      await digestOf({}),
    ];
    expect(new Set([first, ...others]).size).toBe(7);
  });

  it('equals one of the same files in another store, made by another process', async () => {
    const keys = await Promise.all(
      [1, 2].map(async () => {
        const flow = await openFlow();
        await flow.task(spec, async (task) =>
          task.saveArtifacts({ tree: await task.directories.fromLocal(folderOf(TREE)) }),
        );
        return (await flow.getTaskDataStore('r1/fit/0')).info('tree').key;
      }),
    );
    expect(keys[0]).toBe(keys[1]);
  });

  it('counts in cache keys, is a result that is hit, and has a schema', async () => {
    const flow = await openFlow();
    let runs = 0;
    const task = flow.cachedTask({
      name: 'tree',
      version: '1',
      input: directoryRef(),
      output: directoryRef(),
      run: async (directory: DirectoryRef, ctx) => {
        runs += 1;
        await directory.download(join(ctx.workDir, 'tree'));
        writeFileSync(join(ctx.workDir, 'tree/new'), 'new');
        return ctx.directories.fromLocal(join(ctx.workDir, 'tree'));
      },
    });
    const made = await task(await flow.directories.fromLocal(folderOf(TREE)));
    const again = await task.detailed(await flow.directories.fromLocal(folderOf(TREE), { name: 'other' }));
    expect(again.hit).toBe(true);
    expect(again.value).toBeInstanceOf(DirectoryRef);
    expect(again.value.digest).toBe(made.digest);
    expect(await (await again.value.get('new')).text()).toBe('new');
    expect(runs).toBe(1);
    await errorOf(task('x' as never), 'INPUT_INVALID');
  });

  it('lives with the artifact that refers to it, is copied, and goes with it', async () => {
    const storage = new MemoryStorage('', { localReads: false });
    const flow = await openFlow({ storage });
    const root = folderOf(TREE);
    await flow.task(spec, async (task) =>
      task.saveArtifacts({ nested: [{ tree: await task.directories.fromLocal(root) }] }),
    );
    await collect(storage);
    const load = async (from: FlowDataStore): Promise<DirectoryRef> => {
      const [{ tree }] = await (await from.getTaskDataStore('r1/fit/0')).get<[{ tree: DirectoryRef }]>(
        'nested',
      );
      return tree;
    };
    const target = new MemoryStorage();
    await copyStore({ from: storage, to: target });
    await collect(target);
    for (const from of [flow, await openFlow({ storage: target })])
      expect(treeIn(await (await load(from)).download(join(scratchFolder(), 'down')))).toEqual(treeIn(root));
    const before = (await objectNames(storage)).filter(isContent);
    await flow.task({ ...spec, taskId: '1' }, async (task) => task.saveArtifacts({ tree: await load(flow) }));
    expect((await objectNames(storage)).filter(isContent)).toEqual(before);
    await markClosed(storage, '0', 'DELETED');
    await collect(storage);
    expect((await objectNames(storage)).filter(isContent)).toEqual(before);
    await markClosed(storage, '1', 'DELETED');
    await collect(storage);
    expect((await objectNames(storage)).filter(isContent)).toEqual([]);
  });

  it('outside a task is kept until its session is released', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const { session } = await flow.directories.fromLocal(folderOf(TREE));
    await collect(storage);
    expect((await objectNames(storage)).filter(isContent)).not.toEqual([]);
    await flow.caStore.release(session as string);
    await collect(storage);
    expect((await objectNames(storage)).filter(isContent)).toEqual([]);
  });
});

describe('saving a directory again', () => {
  it('stores nothing that it has, and after a change only what is about it', async () => {
    const storage = new MemoryStorage();
    const root = folderOf(TREE);
    const flow = await openFlow({ storage });
    const save = async (): Promise<DirectoryRef> => flow.directories.fromLocal(root);
    const first = await save();
    const before = (await objectNames(storage)).filter(isContent);
    const other = await openFlow({ storage });
    expect((await other.directories.fromLocal(root)).digest).toBe(first.digest);
    expect((await save()).digest).toBe(first.digest);
    expect((await objectNames(storage)).filter(isContent)).toEqual(before);
    put(root, 'many/5', noise(90_000, 99));
    const changed = await save();
    expect(changed.digest).not.toBe(first.digest);
    const names = (await objectNames(storage)).filter((name) => isContent(name) && !before.includes(name));
    let bytes = 0;
    for (const name of names) bytes += (await storage.head(name))?.bytes ?? 0;
    expect(bytes).toBeLessThan(600_000);
    expect(Buffer.from(await (await changed.get('many/5')).bytes())).toEqual(Buffer.from(noise(90_000, 99)));
    expect(Buffer.from(await (await first.get('many/5')).bytes())).toEqual(Buffer.from(noise(90_000, 7)));
  });

  it('in one process reads no file that is as it was, and each that is not', async () => {
    vi.stubEnv('STOWAGE_FILE_INDEX', join(scratchFolder(), 'index'));
    afterThisTest(() => vi.unstubAllEnvs());
    const flow = await openFlow();
    const root = folderOf(TREE);
    const [a, large] = [join(root, 'a.txt'), join(root, 'b/large.bin')];
    utimesSync(a, 1, 1);
    const newest = Math.max(...Object.keys(TREE).map((path) => statSync(join(root, path)).ctimeMs));
    await until(() => Date.now() - newest > (newest % 1 === 0 ? 2_200 : 150));
    const opened = openedBelow(root);
    const first = await flow.directories.fromLocal(root);
    expect(opened.splice(0)).toContain(large);
    expect((await flow.directories.fromLocal(root)).digest).toBe(first.digest);
    expect(opened).toEqual([]);
    // As many bytes, and the same time of modification: only the system's own time tells.
    writeFileSync(a, 'b');
    utimesSync(a, 1, 1);
    opened.splice(0);
    const changed = await flow.directories.fromLocal(root);
    expect(opened).toContain(a);
    expect(opened).not.toContain(large);
    expect(await (await changed.get('a.txt')).text()).toBe('b');
  });

  it('writes again what the store has no more', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const root = folderOf(TREE);
    await flow.directories.fromLocal(root);
    await storage.delete((await objectNames(storage)).filter(isContent));
    const again = await flow.directories.fromLocal(root);
    expect(treeIn(await again.download(join(scratchFolder(), 'down')))).toEqual(treeIn(root));
  });
});

/** Calls `change` once, when the first object is created whose name begins with `prefix`. */
class ChangingStorage extends MemoryStorage {
  readonly #prefix: string;
  #change: (() => void) | undefined;

  constructor(prefix: string, change: () => void) {
    super();
    this.#prefix = prefix;
    this.#change = change;
  }

  override async create(...call: Parameters<MemoryStorage['create']>): ReturnType<MemoryStorage['create']> {
    if (call[0].startsWith(this.#prefix)) {
      this.#change?.();
      this.#change = undefined;
    }
    return super.create(...call);
  }
}

/** Counts reads of packs that are under way, and holds them up. */
class HeldStorage extends StorageDecorator {
  reading = 0;
  most = 0;
  #gate: Gate | undefined;

  hold(): Gate {
    this.#gate = gate();
    return this.#gate;
  }

  override async get(...call: Parameters<DataStoreStorage['get']>): ReturnType<DataStoreStorage['get']> {
    if (!this.#gate || !call[0].startsWith('packs/')) return super.get(...call);
    this.most = Math.max(this.most, ++this.reading);
    try {
      await this.#gate.opened;
      return await super.get(...call);
    } finally {
      this.reading -= 1;
    }
  }
}

describe('a file of a folder', () => {
  // The session is opened once the files were found; packs are written once small ones were read.
  it.each([
    ['small', 'grows', 'loose/', 'many/5', (path: string) => appendFileSync(path, 'more')],
    ['small', 'shrinks', 'loose/', 'many/5', (path: string) => writeFileSync(path, 'less')],
    ['small', 'is replaced', 'loose/', 'many/5', (path: string) => writeFileSync(path, noise(90_000, 8))],
    ['small', 'is deleted', 'loose/', 'many/5', (path: string) => rmSync(path)],
    ['large', 'grows', 'manifests/', 'b/large.bin', (path: string) => appendFileSync(path, 'more')],
    ['large', 'shrinks', 'manifests/', 'b/large.bin', (path: string) => truncateSync(path, 300_000)],
    ['large', 'is deleted', 'manifests/', 'b/large.bin', (path: string) => rmSync(path)],
  ] as const)(
    'that is %s, and %s before it is read, is told, and nothing of the folder is kept',
    async (...given) => {
      const [size, how, prefix, path, change] = given;
      const root = folderOf(TREE);
      const storage = new ChangingStorage(prefix, () => change(join(root, path)));
      const flow = await openFlow({ storage });
      const code = how === 'is deleted' ? 'REFERENCE_NOT_FOUND' : 'REFERENCE_CHANGED';
      const error = await errorOf(flow.directories.fromLocal(root), code);
      expect(error.message).toContain(path);
      const left = async (): Promise<string[]> => (await objectNames(storage)).filter(isContent);
      if (size === 'small') expect(await left()).toEqual([]);
      // What was stored of other files by then belongs to a session that failed.
      await collect(storage);
      expect(await left()).toEqual([]);
    },
  );
});

describe('what is taken of a folder', () => {
  const taken = async (root: string, options: object = {}): Promise<string[]> =>
    (await (await (await openFlow()).directories.fromLocal(root, options)).files()).map(({ path }) => path);

  it('is left out by ignore files, patterns, and taken by patterns', async () => {
    const root = folderOf({
      '.stowageignore': '*.log\nbuild/\n',
      '.gitignore': 'secret\n',
      'a.log': '',
      'a.ts': '',
      secret: '',
      'build/x': '',
      'src/.stowageignore': '!keep.log\n/only-here\n',
      'src/keep.log': '',
      'src/other.log': '',
      'src/only-here': '',
      'src/deep/only-here': '',
    });
    const kept = [
      '.gitignore',
      '.stowageignore',
      'a.ts',
      'secret',
      'src/.stowageignore',
      'src/deep/only-here',
      'src/keep.log',
    ];
    expect(await taken(root)).toEqual(kept);
    expect(await taken(root, { ignoreFiles: ['.gitignore', '.stowageignore'] })).toEqual(
      kept.filter((path) => path !== 'secret'),
    );
    expect(await taken(root, { exclude: ['src', '.*ignore'] })).toEqual(['a.ts', 'secret']);
    expect(await taken(root, { include: ['*.ts', 'src/deep/'], ignoreFiles: [] })).toEqual([
      'a.ts',
      'src/deep/only-here',
    ]);
    await expect(taken(root, { include: '*.ts' })).rejects.toThrow('list of names');
  });

  it('are files that links within it lead to, and no link that leads out', async () => {
    const root = folderOf({ 'a/x': 'x', 'b/y': 'y' });
    symlinkSync('../a/x', join(root, 'b/link'));
    symlinkSync('a', join(root, 'folder'));
    expect(await taken(root)).toEqual(['a/x', 'b/link', 'b/y', 'folder/x']);
    symlinkSync('/etc/hostname', join(root, 'out'));
    const flow = await openFlow();
    const error = await errorOf(flow.directories.fromLocal(root), 'INVALID_ARGUMENT');
    expect(error.message).toContain('leads out of the folder');
    expect(await taken(root, { exclude: ['out'] })).toHaveLength(4);
  });

  it.each([
    ['to a folder that it lies in', '..'],
    ['to the folder itself', '.'],
  ])('is refused where a link leads %s', async (_where, target) => {
    const root = folderOf({ 'a/x': 'x' });
    symlinkSync(target, join(root, 'a/link'));
    const flow = await openFlow();
    await errorOf(flow.directories.fromLocal(root), 'INVALID_ARGUMENT');
  });

  it('is refused where a link leads nowhere, a folder is none or is missing, or a name is none', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const root = folderOf({ a: '' });
    symlinkSync('nowhere', join(root, 'link'));
    await errorOf(flow.directories.fromLocal(root), 'REFERENCE_NOT_FOUND');
    rmSync(join(root, 'link'));
    await errorOf(flow.directories.fromLocal(join(root, 'a')), 'REFERENCE_UNREADABLE');
    const missing = await errorOf(flow.directories.fromLocal(join(root, 'none')), 'REFERENCE_NOT_FOUND');
    expect(missing.message).toContain('There is no folder at');
    await errorOf(flow.directories.fromLocal(''), 'INVALID_ARGUMENT');
    await errorOf(flow.directories.fromLocal('/'), 'INVALID_NAME');
    writeFileSync(join(root, 'back\\slash'), '');
    await errorOf(flow.directories.fromLocal(root), 'INVALID_NAME');
    expect((await objectNames(storage)).filter(isContent)).toEqual([]);
  });
});

describe.skipIf(process.platform === 'win32')('what is no file', () => {
  const refused = async (root: string, options: object, what: string): Promise<void> => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const error = await errorOf(flow.directories.fromLocal(root, options), 'REFERENCE_UNREADABLE');
    expect(error.message).toContain(what);
    expect((await objectNames(storage)).filter(isContent)).toEqual([]);
  };

  it('is refused in a folder: a socket', async () => {
    const root = folderOf({ a: 'a' });
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(root, 's'), resolve));
    afterThisTest(() => server.close());
    await refused(root, {}, join(root, 's'));
    const flow = await openFlow();
    await errorOf(flow.files.fromLocal(join(root, 's')), 'REFERENCE_UNREADABLE');
    expect((await flow.directories.fromLocal(root, { exclude: ['s'] })).fileCount).toBe(1);
  });

  it('is refused in a folder: a device', async () => {
    await refused('/dev', { exclude: ['/*', '!/null'] }, '/dev/null');
  });
});

describe('downloading', () => {
  const saved = async (files: Record<string, string>): Promise<DirectoryRef> =>
    (await openFlow()).directories.fromLocal(folderOf(files));

  it('follows no link in the folder, and replaces files but folders', async () => {
    const directory = await saved({ 'sub/x': 'x', y: 'y' });
    const [target, outside] = [scratchFolder(), scratchFolder()];
    symlinkSync(outside, join(target, 'sub'));
    await errorOf(directory.download(target), 'DOWNLOAD_FAILED');
    expect(readdirSync(outside)).toEqual([]);
    rmSync(join(target, 'sub'));
    writeFileSync(join(outside, 'kept'), 'kept');
    rmSync(join(target, 'y'), { force: true });
    symlinkSync(join(outside, 'kept'), join(target, 'y'));
    await directory.download(target);
    expect(readFileSync(join(outside, 'kept'), 'utf8')).toBe('kept');
    expect(readFileSync(join(target, 'y'), 'utf8')).toBe('y');
    await errorOf(directory.download(target, { overwrite: false }), 'INVALID_ARGUMENT');
    rmSync(join(target, 'y'));
    mkdirSync(join(target, 'y'));
    await errorOf(directory.download(target), 'DOWNLOAD_FAILED');
    expect(readdirSync(target).sort()).toEqual(['sub', 'y']);
  });

  it.skipIf(process.platform !== 'linux')(
    'is refused for names that the file system there takes for one, before anything is written',
    async () => {
      const directory = await saved({ 'd/Readme': '1', 'd/README': '2', x: '3' });
      const target = scratchFolder();
      writeFileSync(join(target, 'there'), '');
      await directory.download(join(target, 'apart'));
      expect(readdirSync(join(target, 'apart/d')).sort()).toEqual(['README', 'Readme']);
      rmSync(join(target, 'apart'), { recursive: true });
      foldsCaseBelow(target);
      const error = await errorOf(directory.download(target), 'DOWNLOAD_FAILED');
      expect(error.message).toMatch(/d\/README and d\/Readme are one name/);
      expect(readdirSync(target)).toEqual(['there']);
      await (await saved({ 'd/Readme': '1', 'd/x': '2' })).download(target);
    },
  );

  it('knows names that a file system may take for one, and those that are none on Windows', () => {
    const entry = (path: string) => ({ path, size: 0, key: '', executable: false });
    const check = (...paths: string[]) => checkFolded('/x', paths.map(entry));
    for (const paths of [
      ['a', 'A'],
      ['a/x', 'A/y'],
      ['é', 'e\u0301'],
      ['d/Readme', 'd/README'],
    ])
      expect(() => check(...paths), paths.join()).toThrow(
        expect.objectContaining({ code: 'DOWNLOAD_FAILED' }),
      );
    check('a/x', 'a/y', 'b/x', 'ab', 'a.b');
    for (const path of ['a:b', 'aux', 'x/con.txt', 'a.', 'a ', 'a?'])
      expect(() => checkPlatform('/x', [entry(path)], 'win32'), path).toThrow(
        expect.objectContaining({ code: 'DOWNLOAD_FAILED' }),
      );
    checkPlatform('/x', [entry('auxiliary'), entry('a/b.c')], 'win32');
    checkPlatform('/x', [entry('aux')], 'linux');
  });

  it('reads four packs or large files at once, and no more', async () => {
    const storage = new HeldStorage(new MemoryStorage('', { localReads: false }));
    const flow = await openFlow({ storage });
    const files = Array.from({ length: 12 }, (_, index) => [`${index}`, noise(300_000, index + 1)] as const);
    const root = folderOf(Object.fromEntries(files));
    const directory = await flow.directories.fromLocal(root);
    await directory.files();
    const held = storage.hold();
    const downloaded = directory.download(join(scratchFolder(), 'down'));
    await until(() => storage.reading >= 4);
    held.open();
    expect(treeIn(await downloaded)).toEqual(treeIn(root));
    expect(storage.most).toBe(4);
  });

  it('leaves no unfinished file after a failure', async () => {
    const storage = new MemoryStorage();
    const flow = await openFlow({ storage });
    const directory = await flow.directories.fromLocal(folderOf(TREE));
    await directory.files();
    await storage.delete(await objectNames(storage, 'packs/'));
    const target = join(scratchFolder(), 'down');
    await errorOf(directory.download(target), 'CONTENT_DAMAGED');
    for (const path of Object.keys(existsSync(target) ? treeIn(target) : {}))
      expect(path).not.toMatch(/\.part$/);
  });
});
