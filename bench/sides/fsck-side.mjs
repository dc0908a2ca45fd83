// Checks a store in a folder: answers each line {"root", "options"} with the time, the processor time, the peak of memory, what was found, and the
// requests that the same calls are at S3.
import { createInterface } from 'node:readline';
import { checkStore, openStorage, StorageDecorator } from '../../dist/index.js';
import { watchPeak } from '../peak-memory.mjs';

const NAMES_A_PAGE = 1000;

/** Counts calls as S3 does: listings by pages of 1,000 names. */
class S3Requests extends StorageDecorator {
  counts = { LIST: 0, GET: 0, HEAD: 0 };

  async get(name, options) {
    this.counts.GET += 1;
    return this.inner.get(name, options);
  }

  async head(name, options) {
    this.counts.HEAD += 1;
    return this.inner.head(name, options);
  }

  async *list(options) {
    let listed = 0;
    try {
      for await (const page of this.inner.list(options)) {
        listed += page.objects.length + page.folders.length;
        yield page;
      }
    } finally {
      this.counts.LIST += Math.max(1, Math.ceil(listed / NAMES_A_PAGE));
    }
  }
}

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
