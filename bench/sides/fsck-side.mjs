// Checks a store in a folder: answers each line {"root", "options"} with the time, the processor time, the peak of memory, what was found, and the
// requests that the same calls are at S3.
import { createInterface } from 'node:readline';
import { checkStore, openStorage } from '../../dist/index.js';
import { watchPeak } from '../peak-memory.mjs';
import { S3Requests } from './s3-requests.mjs';

async function check({ root, options }) {
  const storage = new S3Requests(await openStorage(root));
  const peak = watchPeak();
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  const checking = checkStore({ store: storage, ...options });
  for await (const finding of checking) throw new Error(`the store is not sound: ${finding.message}`);
  const ms = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  const { overBytes } = peak();
  await storage.close();
  const { objects } = checking.summary;
  return { ms, cpuMs: (user + system) / 1000, overBytes, requests: storage.counts, objects };
}

process.stdout.write('{}\n');
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await check(JSON.parse(line)))}\n`);
}
