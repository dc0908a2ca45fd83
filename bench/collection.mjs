// Collection of stores of many objects: npm run build && node bench/collection.mjs [--most <objects>] [--write]
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CONTENTS_OF_A_RUN, CollectionStore, OBJECTS_OF_A_RUN } from './collection-store.mjs';
import { collectionTable, toText } from './report.mjs';
import { findRestic } from './restic.mjs';
import { openScratch } from './scratch.mjs';
import { startSide } from './side.mjs';
import { priceOf } from './wire/request-kinds.mjs';

const SIDE = fileURLToPath(new URL('./sides/collection-side.mjs', import.meta.url));
const SIZES = [10_000, 100_000, 1_000_000];
/** Saved between the second collection and the third, of what there was. */
const NEW_SHARE = 0.01;

/**
 * Three collections of stores of each size, each by a new process: the first, one right after it, and one after 1 % more was saved and one
 * run given up. Requests are those that the same calls make at S3.
 *
 * @param most - leaves out larger ones; default: none
 */
export async function measureCollection({ scratch, log, most = Infinity }) {
  const restic = await findRestic();
  if (!restic) log('no restic here: see docs/benchmarks.md for how to install it');
  const rows = [];
  for (const size of SIZES.filter((objects) => objects <= most)) {
    log(`collection: ${size} objects`);
    await scratch.withFolder(async (folder) => {
      const root = join(folder, 'store');
      const memory = join(folder, 'memory');
      const store = new CollectionStore(root);
      const runs = store.add(size);
      const objects = runs * OBJECTS_OF_A_RUN;
      const collected = async (what) => {
        const side = await startSide(process.execPath, [SIDE]);
        const answer = await side.ask({ root, options: { memory } });
        side.stop();
        rows.push({ what, objects, ...answer, dollars: priceOf(answer.requests) });
      };
      await collected('the first');
      await collected('one right after it');
      store.add(size * NEW_SHARE);
      store.giveUp(1);
      await collected('one after 1 % more, and one run given up');
      rmSync(root, { recursive: true, force: true });
      if (!restic) return;
      log(`restic: ${size} objects`);
      const ms = await restic.prune(join(folder, 'restic'), { files: runs * CONTENTS_OF_A_RUN, gone: 0.1 });
      rows.push({ what: `restic ${restic.version}: prune`, objects, ms });
    });
  }
  return rows;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { most: { type: 'string' } } });
  const scratch = openScratch();
  process.once('exit', () => scratch.dispose());
  const log = (text) => process.stderr.write(`bench: ${text}\n`);
  const rows = await measureCollection({ scratch, log, most: Number(values.most ?? Infinity) });
  process.stdout.write(`${toText([{ title: 'Collection', rows: collectionTable(rows) }])}\n`);
}
