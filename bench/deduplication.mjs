// What is new of content that was edited: npm run build && node bench/deduplication.mjs
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EDITS } from './edits.mjs';
import { storedBytes } from './large.mjs';
import { deduplicationTable, toText } from './report.mjs';
import { findRestic } from './restic.mjs';
import { openScratch } from './scratch.mjs';
import { startSide } from './side.mjs';

const EDIT_SIDE = fileURLToPath(new URL('./sides/edit-side.mjs', import.meta.url));

/**
 * For each edit the share of what the edited content takes alone that it adds to a store which holds it as it was: saved by the same
 * process, by another one as a later task of the same step, and by restic where that is installed.
 */
export async function measureDeduplication({ scratch, log }) {
  const restic = await findRestic();
  if (!restic) log('no restic here: see docs/benchmarks.md for how to install it');
  const rows = [];
  for (const { name, most, make } of EDITS) {
    log(`edit: ${name}`);
    const { before, after, elementBytes } = make();
    rows.push(
      await scratch.withFolder(async (folder) => {
        mkdirSync(folder, { recursive: true });
        const files = { before: join(folder, 'before'), after: join(folder, 'after') };
        writeFileSync(files.before, before);
        writeFileSync(files.after, after);
        const save = (store, ...names) =>
          addedBy(
            join(folder, store),
            names.map((each) => files[each]),
            elementBytes,
          );
        const alone = await save('alone', 'after');
        const here = await save('same', 'before', 'after');
        await save('other', 'before');
        const elsewhere = await save('other', 'after');
        const theirs = await restic?.newShare(join(folder, 'restic'), before, after);
        return {
          name,
          most,
          same: here / alone,
          other: elsewhere / alone,
          stores: alone / after.length,
          ...(theirs === undefined ? {} : { restic: theirs }),
        };
      }),
    );
  }
  return { rows, restic: restic?.version };
}

/** The bytes that the last of some files adds to a store, saved by one new process, each as a task of one step. */
async function addedBy(root, files, elementBytes) {
  const side = await startSide(process.execPath, [EDIT_SIDE, root, String(elementBytes)]);
  let [size, before] = [existsSync(root) ? storedBytes(root) : 0, 0];
  for (const file of files) {
    await side.ask({ file });
    [before, size] = [size, storedBytes(root)];
  }
  side.stop();
  return size - before;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const scratch = openScratch();
  process.once('exit', scratch.dispose);
  const log = (text) => process.stderr.write(`bench: ${text}\n`);
  const measured = await measureDeduplication({ scratch, log });
  const title = 'New bytes of edited content';
  process.stdout.write(`${toText([{ title, rows: deduplicationTable(measured) }])}\n`);
}
