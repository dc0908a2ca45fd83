// Builds dist/: declarations by the compiler, and scripts as a few bundles, because Node takes a third of a millisecond for every
// file that it imports. Our own code only: dependencies stay imports. Not minified, so that stacks can be read.
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
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
  },
  platform: 'node',
  external: (id) => !id.startsWith('.') && !id.startsWith(root),
  transform: { target: 'node20.19' },
});
await bundle.write({
  dir: dist,
  format: 'esm',
  entryFileNames: '[name].js',
  // One level deep, as the entries of the command are: package.json is found from there.
  chunkFileNames: 'chunks/[name]-[hash].js',
});
await bundle.close();
