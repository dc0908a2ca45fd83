// What is new of content that was edited: npm run build && node bench/deduplication.mjs
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { tableFromArrays, tableToIPC } from 'apache-arrow';
import { FlowDataStore, openStorage } from '../dist/index.js';
import { openScratch } from './scratch.mjs';
import { dicts, muchNoise } from './values.mjs';

const MEBIBYTE = 1024 * 1024;

/** Each: the content, what became of it, and the most of the bytes stored for it that may be new. */
const CASES = [
  { name: '256 MiB of float32, 4 KiB inserted', most: 0.002, make: () => edited(floats(), insert) },
  { name: '256 MiB of float32, 10 % appended', most: 0.095, make: () => edited(floats(), append) },
  { name: '256 MiB of float32, 1 % changed in one block', most: 0.012, make: () => edited(floats(), change) },
  { name: 'an Arrow table of 1,000,000 rows, 100 inserted', most: 0.1, make: tables },
  { name: '100 MB of JSON lines, 1 % edited in one block', most: 0.015, make: lines },
];

const scratch = openScratch();
process.once('exit', scratch.dispose);
console.log('| edit | new, raw | new, `auto` | at most | `auto` stores |\n| --- | --- | --- | --- | --- |');
for (const { name, most, make } of CASES) {
  const { before, after, elementBytes } = make();
  const raw = await newShare(before, after, elementBytes, 'none');
  const auto = await newShare(before, after, elementBytes, 'auto');
  const figures = [raw.share, auto.share, most, auto.stored / after.length].map(percent);
  console.log(`| ${name} | ${figures.join(' | ')} |`);
}

/** The share of what `after` alone takes that it adds to a store which holds `before`. */
async function newShare(before, after, elementBytes, compression) {
  const alone = await scratch.withFolder((root) => added(root, [after], elementBytes, compression));
  const both = await scratch.withFolder((root) => added(root, [before, after], elementBytes, compression));
  return { stored: alone, share: both / alone };
}

/** The bytes that saving the last content adds. */
async function added(root, contents, elementBytes, compression) {
  const flow = await FlowDataStore.open({
    flowName: 'Bench',
    storage: await openStorage(root, { fsync: false }),
    compression,
  });
  let [size, before] = [0, 0];
  for (const content of contents) {
    await flow.caStore.saveBlobs([content], { elementBytes });
    [before, size] = [size, sizeOf(root)];
  }
  await flow.close();
  return size - before;
}

function sizeOf(root) {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /packs|manifests|data/.test(entry.parentPath))
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

function percent(share) {
  return `${(100 * share).toFixed(2)} %`;
}

/** Normally distributed. */
function floats(count = 64 * MEBIBYTE, seed = 1) {
  const words = new Uint32Array(muchNoise(4 * count, seed).buffer);
  return Float32Array.from({ length: count }, (_, i) => {
    const other = words[(i * 7 + 3) % count];
    return Math.sqrt(-2 * Math.log((words[i] + 1) / 2 ** 32)) * Math.cos((2 * Math.PI * other) / 2 ** 32);
  });
}

function edited(values, edit) {
  const before = Buffer.from(values.buffer);
  return { before, after: edit(before), elementBytes: 4 };
}

function insert(bytes) {
  const at = 4 * Math.floor(bytes.length / 9);
  return Buffer.concat([bytes.subarray(0, at), muchNoise(4096, 5), bytes.subarray(at)]);
}

function append(bytes) {
  const more = floats(Math.floor(bytes.length / 40), 77);
  return Buffer.concat([bytes, Buffer.from(more.buffer)]);
}

function change(bytes) {
  const after = Buffer.from(bytes);
  after.set(muchNoise(Math.ceil(bytes.length / 100), 5), 4 * Math.floor(bytes.length / 9));
  return after;
}

function tables() {
  const rows = 1_000_000;
  const scores = floats(rows + 100);
  const columns = (from, count) => ({
    id: BigInt64Array.from({ length: count }, (_, i) => BigInt(from + i)),
    score: Float64Array.from(scores.subarray(from, from + count)),
    count: Int32Array.from(scores.subarray(from, from + count), (score) => 1000 * score),
    name: Array.from({ length: count }, (_, i) => `item-${Math.floor(Math.abs(scores[from + i]) * 1000)}`),
  });
  const table = (from, count) => columns(from, count);
  const join = (parts) => ({
    id: BigInt64Array.from(parts.flatMap(({ id }) => [...id])),
    score: Float64Array.from(parts.flatMap(({ score }) => [...score])),
    count: Int32Array.from(parts.flatMap(({ count }) => [...count])),
    name: parts.flatMap(({ name }) => name),
  });
  const toBytes = (record) => Buffer.from(tableToIPC(tableFromArrays(record), 'file'));
  const half = rows / 2;
  return {
    before: toBytes(table(0, rows)),
    after: toBytes(join([table(0, half), table(rows, 100), table(half, half)])),
    elementBytes: 0,
  };
}

function lines() {
  const records = dicts(480_000).map((record) => `${JSON.stringify(record)}\n`);
  const first = Math.floor(records.length / 3);
  const after = records.map((line, i) =>
    i >= first && i < first + records.length / 100 ? line.replace('"score":', '"grade":9') : line,
  );
  return { before: Buffer.from(records.join('')), after: Buffer.from(after.join('')), elementBytes: 0 };
}
