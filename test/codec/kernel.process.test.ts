import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

const INDEX = JSON.stringify(new URL('../../dist/index.js', import.meta.url).href);
/** Saves 2 MiB of numbers, reads them, and prints the root of their chunks; `--jitless` is Node.js without WebAssembly. */
const PROGRAM = `
  import { FlowDataStore, MemoryStorage } from ${INDEX};
  const numbers = Float64Array.from({ length: 1 << 18 }, (_, i) => (i * i) % 1000);
  const bytes = new Uint8Array(numbers.buffer);
  const flow = await FlowDataStore.open({ flowName: 'F', storage: new MemoryStorage() });
  const store = flow.caStore;
  const [{ key, root }] = await store.saveBlobs([bytes], { elementBytes: 8 });
  for await (const { blob } of store.loadBlobs([key])) console.log(root, Buffer.compare(bytes, blob));
  await flow.close();
`;

function run(...options: string[]): { stdout: string; stderr: string } {
  return spawnSync(process.execPath, [...options, '--input-type=module', '--eval', PROGRAM], {
    encoding: 'utf8',
  });
}

test('without WebAssembly content is cut alike, and a warning says that it is slow', () => {
  const [usual, slow] = [run(), run('--jitless')];
  expect(usual.stderr).toBe('');
  expect(usual.stdout).toMatch(/ 0\n$/);
  expect(slow.stdout).toBe(usual.stdout);
  expect(slow.stderr).toContain('STOWAGE_SLOW_KERNEL');
});
