// Makes a file of noise, saves it by `files.fromLocal`, or downloads what was saved, and prints as JSON the peak of its resident memory, in
// bytes, and the SHA-256 of the file.
// Usage: node large-file.mjs FOLDER MEBIBYTES make|save|download
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { FlowDataStore, openStorage } from '../../../dist/index.js';

const MIB = 1024 * 1024;
const [folder, mebibytes, way] = process.argv.slice(2);
const [source, target] = [join(folder, 'source.bin'), join(folder, 'target.bin')];

/** The most memory that was resident since the process began. */
function peakBytes() {
  return Number(/VmHWM:\s*(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))[1]) * 1024;
}

async function make() {
  const words = new Uint32Array(MIB / 4);
  const file = await open(source, 'w');
  for (let state = 1, i = 0; i < Number(mebibytes); i++) {
    for (let at = 0; at < words.length; at++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      words[at] = state;
    }
    await file.writeFile(new Uint8Array(words.buffer));
  }
  await file.close();
  return source;
}

async function withFlow(work) {
  const storage = await openStorage(join(folder, 'store'), { local: { fsync: false } });
  const flow = await FlowDataStore.open({ flowName: 'Large', storage });
  await work(flow);
  await flow.close();
  await storage.close();
}

const ways = {
  make,
  async save() {
    await withFlow((flow) =>
      flow.task({ runId: 'r1', stepName: 's', taskId: '0' }, async (task) => {
        await task.saveArtifacts({ file: await task.files.fromLocal(source) });
      }),
    );
    return source;
  },
  async download() {
    await withFlow(async (flow) => {
      const task = await flow.getTaskDataStore('r1/s/0');
      await (await task.get('file')).download(target);
    });
    return target;
  },
};
const path = await ways[way]();
const peak = peakBytes();
const hash = createHash('sha256');
for await (const piece of createReadStream(path)) hash.update(piece);
process.stdout.write(JSON.stringify({ peakBytes: peak, sha256: hash.digest('hex') }));
