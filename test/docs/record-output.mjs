// Imported before a program: notes beside its console.log what each call prints, and the line that it stands on.
import { appendFileSync, realpathSync, writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { format } from 'node:util';

const record = process.env.STOWAGE_TEST_RECORD;
const recorded = process.env.STOWAGE_TEST_RECORDED;
if (record === undefined || recorded === undefined) throw new Error('What is to be recorded, and where?');
const program = pathToFileURL(realpathSync(fileURLToPath(recorded))).href;
writeFileSync(record, 'line and text of each call\n');

const log = console.log;
console.log = (...values) => {
  const frame = (new Error().stack ?? '').split('\n').find((line) => line.includes(program));
  const line = Number(/:(\d+):\d+\)?$/.exec(frame ?? '')?.[1]);
  appendFileSync(record, `${JSON.stringify({ line, text: format(...values) })}\n`);
  log(...values);
};
