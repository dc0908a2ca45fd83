// Checks of stores of many objects: npm run build && node bench/fsck.mjs [--most <objects>]
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CollectionStore } from './collection-store.mjs';
import { openScratch } from './scratch.mjs';
import { startSide } from './side.mjs';
import { loadSources } from './sources.mjs';
import { priceOf } from './wire/request-kinds.mjs';

const SIDE = fileURLToPath(new URL('./sides/fsck-side.mjs', import.meta.url));
const SIZES = [10_000, 100_000, 1_000_000];
const CHECKS = { whole: {}, 'records alone': { sample: 0 } };
const TIME = '2026-01-01T00:00:00.000Z';

/** The store of a collection, whose runs have records. */
async function makeStore(root, size) {
  const { createdName, encodeRecord, newSessionId, thisOwner } = await loadSources(
    'format/record.ts',
    'format/run-records.ts',
    'format/session-files.ts',
    'format/session-id.ts',
  );
  const runs = new CollectionStore(root).add(size);
  for (let number = 0; number < runs; number++) {
    const [flow, run] = ['Bench', String(number).padStart(6, '0')];
    const said = { createdAt: TIME, owner: thisOwner(), tags: [], parameters: {}, parents: [] };
    const record = encodeRecord({ format: 1, kind: 'run', session: newSessionId(), flow, run, ...said });
    const path = join(root, createdName(flow, run));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, record);
    writeFileSync(join(dirname(path), `at.${Date.parse(TIME)}`), '');
  }
}

/** Checks stores of each size, each by a new process. Requests are those that the same calls make at S3. */
export async function measureChecks({ scratch, log, most = Infinity }) {
  const rows = [];
  for (const size of SIZES.filter((objects) => objects <= most)) {
    log(`fsck: ${size} objects`);
    await scratch.withFolder(async (folder) => {
      const root = join(folder, 'store');
      await makeStore(root, size);
      for (const [what, options] of Object.entries(CHECKS)) {
        const side = await startSide(process.execPath, [SIDE]);
        const answer = await side.ask({ root, options });
        side.stop();
        rows.push({ what, ...answer, dollars: priceOf(answer.requests) });
        log(lineOf(rows.at(-1)));
      }
      rmSync(root, { recursive: true, force: true });
    });
  }
  return rows;
}

function lineOf({ what, objects, ms, cpuMs, overBytes, requests, dollars }) {
  const text = (number) => number.toLocaleString('en-US');
  const made = Object.entries(requests)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${text(count)} ${kind}`);
  const cells = [
    text(objects),
    what,
    `${(ms / 1000).toFixed(1)} s`,
    ((cpuMs * 1000) / objects).toFixed(0),
    `${(overBytes / 2 ** 20).toFixed(0)} MiB`,
    made.join(', '),
    `$${dollars.toFixed(4)}`,
  ];
  return `| ${cells.join(' | ')} |`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { most: { type: 'string' } } });
  const scratch = openScratch();
  process.once('exit', () => scratch.dispose());
  const log = (text) => process.stderr.write(`bench: ${text}\n`);
  const rows = await measureChecks({ scratch, log, most: Number(values.most ?? Infinity) });
  process.stdout.write(
    '| objects | check | took | µs of CPU an object | memory | requests at S3 | price at S3 |\n| --- | --- | --- | --- | --- | --- | --- |\n',
  );
  for (const row of rows) process.stdout.write(`${lineOf(row)}\n`);
}
