import { tableFromArrays, tableToIPC } from 'apache-arrow';
import { jsonLines, normalFloats } from './value-files.mjs';
import { muchNoise } from './values.mjs';

const MIB = 1024 * 1024;

/** Content that was edited: each makes what was there before, and after; `most` is the share of its bytes that may be new. */
export const EDITS = [
  { id: 'insert', name: '256 MiB of float32, 4 KiB inserted', most: 0.002, make: () => edited(insert) },
  { id: 'append', name: '256 MiB of float32, 10 % appended', most: 0.095, make: () => edited(append) },
  {
    id: 'change',
    name: '256 MiB of float32, 1 % changed in one block',
    most: 0.012,
    make: () => edited(change),
  },
  { id: 'rows', name: 'an Arrow table of 1,000,000 rows, 100 inserted', most: 0.1, make: tables },
  { id: 'lines', name: '100 MB of JSON lines, 1 % edited in one block', most: 0.015, make: lines },
];

function edited(edit) {
  const before = Buffer.from(normalFloats(64 * MIB).buffer);
  return { before, after: edit(before), elementBytes: 4 };
}

function insert(bytes) {
  const at = 4 * Math.floor(bytes.length / 9);
  return Buffer.concat([bytes.subarray(0, at), muchNoise(4096, 5), bytes.subarray(at)]);
}

function append(bytes) {
  const more = normalFloats(Math.floor(bytes.length / 40), 77);
  return Buffer.concat([bytes, Buffer.from(more.buffer)]);
}

function change(bytes) {
  const after = Buffer.from(bytes);
  after.set(muchNoise(Math.ceil(bytes.length / 100), 5), 4 * Math.floor(bytes.length / 9));
  return after;
}

function tables() {
  const rows = 1_000_000;
  const scores = normalFloats(rows + 100);
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
  const records = jsonLines(480_000);
  const first = Math.floor(records.length / 3);
  const after = records.map((line, i) =>
    i >= first && i < first + records.length / 100 ? line.replace('"score":', '"grade":9') : line,
  );
  return { before: Buffer.from(records.join('')), after: Buffer.from(after.join('')), elementBytes: 0 };
}
