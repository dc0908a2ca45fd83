// What each way of compressing costs and saves, on real and made data: node bench/compression.mjs
// [--implementation napi | node | prebuilt | wasm] [--only <data sets, a pattern>]
import { parseArgs } from 'node:util';
import { dataSets } from './compression-data.mjs';
import { loadSources } from './sources.mjs';

const ROUNDS = 5;
const WAYS = [
  { codec: 'zstd', level: 1 },
  { codec: 'zstd', level: 3 },
  { codec: 'grouped-zstd', level: 1 },
  { codec: 'grouped-zstd', level: 3 },
];
const { values: options } = parseArgs({
  options: { implementation: { type: 'string' }, only: { type: 'string' } },
});
const { nextCut, encodePayload, decodePayload, prepareCodec, zstdImplementation, Trials } = await loadSources(
  'codec/kernel.ts',
  'codec/payload.ts',
  'codec/trials.ts',
  'codec/zstd.ts',
);
await prepareCodec({ implementation: options.implementation });

console.log(
  `zstd: ${zstdImplementation()}, Node.js ${process.version}. Stored share, and nanoseconds of the processor for each byte, to save + to load;`,
);
console.log('in brackets what each byte that is saved costs. `auto` takes what its last column says.\n');
console.log(
  '| data | zstd 1 | zstd 3 | grouped 1 | grouped 3 | auto | of which |\n| --- | --- | --- | --- | --- | --- | --- |',
);
for (const { name, bytes, elementBytes } of dataSets()) {
  if (!new RegExp(options.only ?? '').test(name)) continue;
  const chunks = [...chunksOf(bytes)];
  const ways = WAYS.filter(({ codec }) => codec === 'zstd' || elementBytes > 0);
  const cells = ways.map((compression) => cell(measure(chunks, { compression, elementBytes })));
  while (cells.length < WAYS.length) cells.push('');
  const auto = measure(chunks, { compression: 'auto', elementBytes });
  console.log(`| ${name} | ${[...cells, cell(auto), auto.codecs].join(' | ')} |`);
}

function* chunksOf(bytes) {
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.length < 262_144 ? bytes.length : nextCut(bytes, start, bytes.length);
    yield bytes.subarray(start, end);
    start = end;
  }
}

function measure(chunks, options) {
  const counts = {};
  const first = { ...options, trials: new Trials() };
  const encoded = chunks.map((chunk) => {
    const { payload, ...rest } = encodePayload(chunk, first);
    counts[rest.codec] = (counts[rest.codec] ?? 0) + 1;
    return { ...rest, payload: payload.slice(), rawBytes: chunk.length };
  });
  const raw = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const stored = encoded.reduce((sum, { payload }) => sum + payload.length, 0);
  const saving = nanosecondsPerByte(raw, () => {
    const again = { ...options, trials: new Trials() };
    for (const chunk of chunks) encodePayload(chunk, again);
  });
  const loading = nanosecondsPerByte(raw, () => {
    for (const { codec, elementBytes, payload, rawBytes } of encoded)
      decodePayload(codec, elementBytes, payload, rawBytes);
  });
  const codecs = Object.entries(counts)
    .map(([codec, count]) => `${codec} ${count}`)
    .join(', ');
  return { share: stored / raw, saving, loading, codecs };
}

function nanosecondsPerByte(bytes, work) {
  let best = Number.POSITIVE_INFINITY;
  const repeats = Math.max(1, Math.ceil((1 << 20) / bytes));
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = process.cpuUsage();
    for (let repeat = 0; repeat < repeats; repeat += 1) work();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (1000 * (user + system)) / (bytes * repeats));
  }
  return best;
}

function cell({ share, saving, loading }) {
  const price = share < 1 ? ` [${((saving + loading) / (1 - share)).toFixed(1)}]` : '';
  return `${(100 * share).toFixed(1)} % ${saving.toFixed(2)} + ${loading.toFixed(2)}${price}`;
}
