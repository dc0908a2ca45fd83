// Builds dist/: declarations by the compiler, and scripts as a few bundles, because Node takes a third of a millisecond for every
// file that it imports. Our own code only: dependencies stay imports. Not minified, so that stacks can be read.
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');

rmSync(dist, { recursive: true, force: true });
execFileSync(process.execPath, [compiler, '-p', join(root, 'tsconfig.json'), '--emitDeclarationOnly'], {
  stdio: 'inherit',
});

const bundle = await rolldown({
  input: {
    index: join(root, 'src/index.ts'),
    'testing/index': join(root, 'src/testing/index.ts'),
    'cli/main': join(root, 'src/cli/main.ts'),
    'storage/s3': join(root, 'src/storage/s3.ts'),
    'storage/azure': join(root, 'src/storage/azure.ts'),
    'storage/gcs': join(root, 'src/storage/gcs.ts'),
    'storage/databases': join(root, 'src/storage/databases.ts'),
  },
  platform: 'node',
  external: (id) => !id.startsWith('.') && !id.startsWith(root),
  transform: { target: 'node20.19' },
});

/** What every call of the command loads; with commands and help the parser of arguments comes on top. */
const COMMAND = ['cli/main.ts', 'cli/command-table.ts'];
/** What maintenance needs beside what every program loads. */
const MAINTENANCE = [
  'maintenance/collect-store.ts',
  'maintenance/copy-store.ts',
  'maintenance/erasure/erase-from-store.ts',
  'maintenance/fsck/check-steps.ts',
  'maintenance/fsck/repair/mend-findings.ts',
  'maintenance/retention/remove.ts',
];
const closures = new Map();

/** Everything that a source imports, and what that imports, but for what is loaded on use. */
function closureOf(source, graph) {
  const known = closures.get(source);
  if (known) return known;
  const reached = new Set();
  const reach = (id) => {
    if (reached.has(id)) return;
    reached.add(id);
    for (const imported of graph.getModuleInfo(id)?.importedIds ?? []) reach(imported);
  };
  reach(join(root, 'src', source));
  closures.set(source, reached);
  return reached;
}

/** A chunk of all that the sources reach; what several chunks would hold is in the first of them. */
function chunkOf(name, priority, sources, isIn = (reached) => reached.some(Boolean)) {
  const nameOf = (id, graph) => {
    const reached = sources.map((source) => closureOf(source, graph).has(id));
    return isIn(reached) && !graph.getModuleInfo(id)?.isEntry ? name : null;
  };
  return { name: nameOf, debugName: name, priority };
}

await bundle.write({
  dir: dist,
  // Left alone, the bundler makes a chunk for every set of importers, and there are many of what is imported on use.
  codeSplitting: {
    groups: [
      chunkOf(
        'base',
        5,
        ['index.ts', ...COMMAND],
        ([isOfIndex, ...reached]) => isOfIndex && reached.some(Boolean),
      ),
      chunkOf('command', 4, COMMAND),
      chunkOf('store', 3, ['content-addressed-store.ts', 'storage/open.ts', 'default-storage.ts']),
      chunkOf('core', 2, ['index.ts']),
      chunkOf('index', 1, ['store-index/parts.ts']),
      chunkOf('maintenance', 1, MAINTENANCE),
      chunkOf('views', 1, ['cli/reach.ts', 'views/runs.ts', 'views/run-tree.ts']),
    ],
  },
  format: 'esm',
  // They are in the declarations, and would be a fifth of what every program reads when it starts.
  comments: false,
  entryFileNames: '[name].js',
  // One level deep, as the entries of the command are: package.json is found from there.
  chunkFileNames: 'chunks/[name]-[hash].js',
});
await bundle.close();

// The page runs in browsers: one script, small, that is read as well from a file as from a server.
const page = await rolldown({
  input: join(root, 'src/page/browser/main.tsx'),
  platform: 'browser',
  tsconfig: join(root, 'src/page/browser/tsconfig.json'),
  transform: { target: 'es2022' },
});
await page.write({ file: join(dist, 'page/page.js'), format: 'iife', minify: true, comments: false });
await page.close();
const browser = join(root, 'src/page/browser');
copyFileSync(join(browser, 'index.html'), join(dist, 'page/index.html'));
// What is bundled into the page keeps its notices.
const licenses = ['preact', 'uplot'].map((name) => {
  const text = readFileSync(join(root, 'node_modules', name, 'LICENSE'), 'utf8');
  return `page.js holds ${name}, under this license:\n\n${text}`;
});
writeFileSync(join(dist, 'page/licenses.txt'), licenses.join('\n\n'));
const plots = createRequire(import.meta.url).resolve('uplot/dist/uPlot.min.css');
const styles = ['page.css', 'parts/preview.css', 'views/run-graph.css', 'views/compare.css'].map((file) =>
  join(browser, file),
);
writeFileSync(
  join(dist, 'page/page.css'),
  [plots, ...styles].map((file) => readFileSync(file, 'utf8')).join('\n'),
);
