// Collects a store in a folder: answers each line {"root", "memory"} with the time, the processor time, the peak of memory, and the
// requests that the same calls are at S3.
import { createInterface } from 'node:readline';
import { collectStore, openStorage } from '../../dist/index.js';
import { watchPeak } from '../peak-memory.mjs';
import { S3Requests } from './s3-requests.mjs';

async function collect({ root, options }) {
  const storage = new S3Requests(await openStorage(root));
  const peak = watchPeak();
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  const { collection } = await collectStore({ store: storage, ...options });
  const { user, system } = process.cpuUsage(cpu);
  const ms = performance.now() - began;
  const { overBytes } = peak();
  await storage.close();
  const { outcome, sessions, deleted } = collection;
  return {
    ms,
    cpuMs: (user + system) / 1000,
    overBytes,
    requests: storage.counts,
    outcome,
    sessions,
    deleted,
  };
}

process.stdout.write('{}\n');
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await collect(JSON.parse(line)))}\n`);
}
