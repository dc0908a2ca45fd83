// What chunking and byte grouping cost, by the kernel and by the reference: node bench/kernel.mjs
import { loadSources, megabytesPerCpuSecond } from './sources.mjs';
import { muchNoise } from './values.mjs';

const BYTES = 64 * 1024 * 1024;
const { loadWasmKernel, REFERENCE_KERNEL, createHasher } = await loadSources(
  'codec/kernel.ts',
  'codec/kernel-wasm.ts',
  'digest/blake3.ts',
);
const content = muchNoise(BYTES);
const chunk = content.subarray(0, 128 * 1024);
const target = new Uint8Array(chunk.length);
const window = new Uint8Array(16 * 1024);

const rows = [
  ['cutting', (kernel) => cutAll(kernel), BYTES],
  ...[2, 4, 8].flatMap((width) => [
    [`grouping by ${width}`, (kernel) => repeated(() => kernel.groupBytes(chunk, width, target)), BYTES],
    [`ungrouping by ${width}`, (kernel) => repeated(() => kernel.ungroupBytes(chunk, width, target)), BYTES],
  ]),
];
const kernels = [loadWasmKernel(), REFERENCE_KERNEL];
console.log('| MB for each cpu-second | WebAssembly | JavaScript |\n| --- | --- | --- |');
for (const [name, work, bytes] of rows) {
  const figures = kernels.map((kernel) => Math.round(megabytesPerCpuSecond(bytes, () => work(kernel))));
  console.log(`| ${name} | ${figures.join(' | ')} |`);
}
const copying = megabytesPerCpuSecond(BYTES, () => {
  for (let at = 0; at < BYTES; at += window.length) window.set(content.subarray(at, at + window.length));
});
const hashing = megabytesPerCpuSecond(BYTES, () => createHasher().update(content).digestHex());
console.log(`\nBeside it: copying by 16 KiB ${Math.round(copying)}, BLAKE3 ${Math.round(hashing)}`);

function cutAll(kernel) {
  for (let start = 0; start < BYTES; start = kernel.nextCut(content, start, BYTES));
}

function repeated(work) {
  for (let done = 0; done < BYTES; done += chunk.length) work();
}
