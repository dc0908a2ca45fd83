import { describe, expect, it } from 'vitest';
import { parseImports, readSources, resolveImport } from './imports.ts';

/** The folders of `src/`, and the files beside them, from the lowest up. Imports point down this list only. */
const ORDER = [
  'errors',
  'async',
  'options',
  'digest',
  'codec',
  'streams',
  'storage',
  'format',
  'content',
  'sessions',
  'content-addressed-store',
  'values',
  'parquet',
  'references',
  'logs',
  'reports',
  'attempts',
  'cache',
  'trace',
  'flow',
  'published',
  'views',
  'default-storage',
  'flow-options',
  'cached-tasks',
  'maintenance',
  'store-index',
  'flow-data-store',
  'index',
  'page',
  'cli',
];
/** May import anything; nothing imports it. */
const OUTSIDE = 'testing';

const BACKENDS = ['local', 'memory', 's3', 'azure', 'gcs', 'sql'];
/** Of `storage/`, but neither contract nor shared: they wrap or find backends. */
const NOT_SHARED = [
  'open',
  'decorator',
  'retry',
  'limit',
  'prefix',
  'read-only',
  'fault',
  'count',
  'beside',
  'sqlite',
  'databases',
  ...BACKENDS,
];
/** They take long to load, or may be missing. */
const LOADED_ON_USE =
  /^(@aws-sdk|@azure|@google-cloud|@valibot|acorn|apache-arrow|google-auth-library|hyparquet|hyparquet-writer|libsql|markdown-it|pg|zstd-napi|@toondepauw)(\/|$)/;

const sources = readSources();
const edges = [...sources].flatMap(([file, { imports }]) =>
  imports.flatMap((entry) => {
    const target = resolveImport(file, entry);
    return target === undefined ? [] : [{ file, target, kind: entry.kind }];
  }),
);

/** `content/manifest.ts` -> `content`; `errors.ts` -> `errors`. */
function layerOf(file: string): string {
  return (file.split('/')[0] as string).replace(/\.ts$/, '');
}

/** `storage/local/walk.ts` and `storage/local.ts` -> `local`. */
function storagePartOf(file: string): string | undefined {
  return /^storage\/([^/.]+)/.exec(file)?.[1];
}

/** Circles, each as the files on it; a file that imports one of its importers is on one. */
function findCircles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const circles: string[] = [];
  const finished = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    const start = path.indexOf(file);
    if (start !== -1) circles.push([...path.slice(start), file].join(' -> '));
    if (start !== -1 || finished.has(file)) return;
    path.push(file);
    for (const target of graph.get(file) ?? []) visit(target);
    path.pop();
    finished.add(file);
  };
  for (const file of graph.keys()) visit(file);
  return circles;
}

describe('the reader of imports', () => {
  it('finds every form that the sources use', () => {
    const source = [
      "import './side-effect.ts';",
      "import { a } from './a.ts';",
      "import type { B } from './b.ts';",
      'import {\n  c,\n  type D,\n} from "./c.ts";',
      "export * from './d.ts';",
      "export type * from './e.ts';",
      "export { f } from './f.ts';",
      "// import { x } from './comment.ts';",
      " * import { x } from './comment.ts';",
      "export const g = 'not ./one.ts';",
      "  const h = await import('./h.ts');",
    ].join('\n');
    expect(parseImports(source).map(({ specifier, kind }) => `${kind} ${specifier}`)).toEqual([
      'static ./side-effect.ts',
      'static ./a.ts',
      'type ./b.ts',
      'static ./c.ts',
      'static ./d.ts',
      'type ./e.ts',
      'static ./f.ts',
      'dynamic ./h.ts',
    ]);
  });

  it('misses none of the lines that name a module', () => {
    for (const [file, { text, imports }] of sources) {
      const lines = text.match(/^(?:import|export|\}).* from ['"].*$|^import ['"].*$/gm) ?? [];
      expect(imports.filter(({ kind }) => kind !== 'dynamic').length, file).toBe(lines.length);
    }
  });

  it('sees this project', () => {
    expect(sources.size).toBeGreaterThan(80);
    expect(edges.length).toBeGreaterThan(300);
    expect(edges).toContainEqual({ file: 'index.ts', target: 'errors.ts', kind: 'static' });
  });
});

describe('imports', () => {
  it('name files that exist', () => {
    expect(edges.filter(({ target }) => !sources.has(target))).toEqual([]);
  });

  it('come from known folders', () => {
    const unknown = [...sources.keys()].filter((file) => ![...ORDER, OUTSIDE].includes(layerOf(file)));
    expect(unknown).toEqual([]);
  });

  it('point down', () => {
    const upward = edges.filter(({ file, target }) => {
      const from = layerOf(file);
      const to = layerOf(target);
      if (from === to || from === OUTSIDE) return false;
      return to === OUTSIDE || ORDER.indexOf(to) > ORDER.indexOf(from);
    });
    expect(upward).toEqual([]);
  });

  it('never run in a circle', () => {
    const graph = new Map<string, string[]>([...sources.keys()].map((file) => [file, []]));
    for (const { file, target } of edges) graph.get(file)?.push(target);
    expect(findCircles(new Map([...graph, ['x', ['y']], ['y', ['x']]]))).toContain('x -> y -> x');
    expect(findCircles(graph)).toEqual([]);
  });

  it('of a backend name the floors below, the contract and what backends share', () => {
    const ofBackends = edges.filter(({ file }) => BACKENDS.includes(storagePartOf(file) ?? ''));
    const stray = ofBackends.filter(({ file, target }) => {
      if (ORDER.indexOf(layerOf(target)) < ORDER.indexOf('storage')) return false;
      const part = storagePartOf(target);
      return part === undefined || (part !== storagePartOf(file) && NOT_SHARED.includes(part));
    });
    expect(ofBackends.length).toBeGreaterThan(20);
    expect(stray).toEqual([]);
  });

  it('of packages that are heavy or optional are dynamic', () => {
    const eager = [...sources].flatMap(([file, { imports }]) =>
      imports
        .filter(({ kind, specifier }) => kind === 'static' && LOADED_ON_USE.test(specifier))
        .map(({ specifier }) => `${file}: ${specifier}`),
    );
    expect(eager).toEqual([]);
  });
});
