// How late the event loop is while 1 GiB is saved and loaded: npm run build && node bench/event-loop.mjs
import { fileURLToPath } from 'node:url';
import { eventLoopTable, toText } from './report.mjs';
import { openScratch } from './scratch.mjs';
import { startSide } from './side.mjs';
import { spread } from './statistics.mjs';

const SIDE = fileURLToPath(new URL('./sides/loop-side.mjs', import.meta.url));
const ROUNDS = 3;
const MUST_MS = 20;
const CONTENTS = {
  bytes: 'bytes that nothing shrinks',
  floats: 'float32',
  lines: 'JSON lines, as bytes',
};
const FIGURES = ['ms', 'p50', 'p99', 'max', 'workedP99', 'workedMax', 'waitedP99'];
const WORKS = ['save', 'load'];

/**
 * For each content and work the delay of the event loop, and that of the same process right before, while it does nothing: what the
 * machine's other users and Node itself add.
 */
export async function measureEventLoop({ scratch, log }) {
  const rows = [];
  for (const [content, what] of Object.entries(CONTENTS)) {
    log(`event loop: 1 GiB of ${what}`);
    const side = await startSide(process.execPath, ['--expose-gc', SIDE, content]);
    const taken = Object.fromEntries(WORKS.map((work) => [work, []]));
    for (let round = 0; round < ROUNDS; round += 1) {
      await scratch.withFolder(async (root) => {
        for (const work of WORKS)
          taken[work].push({ idle: await side.ask({ idle: root }), ...(await side.ask({ [work]: root })) });
      });
    }
    side.stop();
    for (const work of WORKS) {
      const of = (key) => spread(taken[work].map((figures) => figures[key]));
      rows.push({
        work: `${work} 1 GiB of ${what}`,
        ...Object.fromEntries(FIGURES.map((key) => [key, of(key)])),
        idleP99: spread(taken[work].map(({ idle }) => idle.p99)),
        mustMs: MUST_MS,
      });
    }
  }
  return rows;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const scratch = openScratch();
  process.once('exit', scratch.dispose);
  const rows = await measureEventLoop({ scratch, log: (text) => process.stderr.write(`bench: ${text}\n`) });
  process.stdout.write(`${toText([{ title: 'Delay of the event loop', rows: eventLoopTable(rows) }])}\n`);
}
