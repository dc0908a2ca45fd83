// Checks of stores of many objects: npm run build && node bench/fsck.mjs [--most <objects>]
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CONTENTS_OF_A_RUN, CollectionStore } from './collection-store.mjs';
import { checksTable, toText } from './report.mjs';
import { findRestic } from './restic.mjs';
import { openScratch } from './scratch.mjs';
import { startSide } from './side.mjs';
import { loadSources } from './sources.mjs';
import { priceOf } from './wire/request-kinds.mjs';

const SIDE = fileURLToPath(new URL('./sides/fsck-side.mjs', import.meta.url));
const SIZES = [10_000, 100_000, 1_000_000];
const CHECKS = { whole: {}, '`--quick`': { sample: 0 } };
const TIME = '2026-01-01T00:00:00.000Z';

/** The store of a collection, whose runs have records. Gives the number of its runs. */
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
  return runs;
}

/**
 * Checks stores of each size, each by a new process. Requests are those that the same calls make at S3.
 *
 * @param most - leaves out larger ones; default: none
 */
export async function measureChecks({ scratch, log, most = Infinity }) {
  const restic = await findRestic();
  if (!restic) log('no restic here: see docs/benchmarks.md for how to install it');
  const rows = [];
  const add = (row) => {
    rows.push(row);
    log(checksTable([row])[1].join(' | ')); // the largest takes long, and those before it are good without
  };
  for (const size of SIZES.filter((objects) => objects <= most)) {
    log(`fsck: ${size} objects`);
    await scratch.withFolder(async (folder) => {
      const root = join(folder, 'store');
      const runs = await makeStore(root, size);
      let objects;
      for (const [what, options] of Object.entries(CHECKS)) {
        const side = await startSide(process.execPath, [SIDE]);
        const answer = await side.ask({ root, options });
        side.stop();
        objects = answer.objects;
        add({ what, ...answer, dollars: priceOf(answer.requests) });
      }
      rmSync(root, { recursive: true, force: true });
      if (!restic) return;
      log(`restic: ${size} objects`);
      const files = runs * CONTENTS_OF_A_RUN;
      const { wholeMs, quickMs } = await restic.check(join(folder, 'restic'), { files });
      const name = `restic ${restic.version}: check`;
      add({ what: `${name} --read-data`, objects, ms: wholeMs });
      add({ what: name, objects, ms: quickMs });
    });
  }
  return rows;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { most: { type: 'string' } } });
  const scratch = openScratch();
  process.once('exit', () => scratch.dispose());
  const log = (text) => process.stderr.write(`bench: ${text}\n`);
  const rows = await measureChecks({ scratch, log, most: Number(values.most ?? Infinity) });
  process.stdout.write(`${toText([{ title: 'Checks', rows: checksTable(rows) }])}\n`);
}
