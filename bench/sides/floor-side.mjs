// The floor of large content: answers each line {"root", "work", "times"} with {"ms", "bytes"}, by bare calls of libraries on the file's bytes.
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const require = createRequire(import.meta.url);
const { Blake3Hasher } = require('@napi-rs/blake-hash');
const zstd = zstdOf();
const CHUNK = 64 * 1024;
const bytes = readFileSync(process.argv[2]);
const hasher = new Blake3Hasher();

const hash = () => {
  hasher.reset();
  hasher.update(bytes).digest('hex');
};
/** Chunk by chunk, as content is stored, so that a part of it can be read. */
const compress = () => {
  const parts = [];
  for (let at = 0; at < bytes.length; at += CHUNK) parts.push(zstd(bytes.subarray(at, at + CHUNK), 3));
  return Buffer.concat(parts);
};
const write = (root, body) => {
  mkdirSync(root, { recursive: true });
  const fd = openSync(join(root, 'copy'), 'w');
  for (let at = 0; at < body.length; at += writeSync(fd, body, at));
  fsyncSync(fd);
  closeSync(fd);
};
const read = (root) => {
  const fd = openSync(join(root, 'copy'), 'r');
  const into = Buffer.allocUnsafeSlow(bytes.length);
  for (let at = 0; at < into.length; at += readSync(fd, into, at, into.length - at, at));
  closeSync(fd);
};

const WORKS = {
  copy: (root) => write(root, bytes),
  hash,
  compress,
  read,
  /** What saving is made of where nothing shrinks it. */
  'hash and write': (root) => {
    hash();
    write(root, bytes);
  },
  'hash, compress and write': (root) => {
    hash();
    write(root, compress());
  },
  'read and hash': (root) => {
    read(root);
    hash();
  },
};

const answer = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
answer({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const { root, work, times = 1 } = JSON.parse(line);
  if (work.startsWith('read')) write(root, bytes);
  const start = performance.now();
  for (let i = 0; i < times; i += 1) WORKS[work](root);
  answer({ ms: performance.now() - start, bytes: bytes.length });
}

/** zstd at a level: Node's own, or the native library that stowage uses. */
function zstdOf() {
  const { zstdCompressSync, constants } = require('node:zlib');
  if (zstdCompressSync)
    return (part, level) =>
      zstdCompressSync(part, { params: { [constants.ZSTD_c_compressionLevel]: level } });
  try {
    const { compress } = require('zstd-napi');
    return (part, level) => compress(part, { compressionLevel: level });
  } catch {
    const { Encoder } = require('@toondepauw/node-zstd');
    return (part, level) => new Encoder(level).encodeSync(part);
  }
}
