// Writes docs/api, the reference of what the package exports, from the docstrings of src. Usage: npm run docs.
// Prints what the docstrings lack; exit code 1 if that is anything.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { indexText, pageText } from './api-reference/markdown.mjs';
import { membersOf, readExports } from './api-reference/sources.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** The pages, in order, and the parts of src whose exports each holds. */
const PAGES = [
  {
    file: 'flow.md',
    title: 'Flows, runs and tasks',
    parts: [
      'flow-data-store.ts',
      'flow-options.ts',
      'flow',
      'published',
      'attempts',
      'logs',
      'cached-tasks',
      'format',
    ],
  },
  { file: 'values.md', title: 'Values and serializers', parts: ['values', 'codec'] },
  {
    file: 'content.md',
    title: 'Content',
    parts: ['content-addressed-store.ts', 'content', 'sessions', 'streams', 'digest'],
  },
  { file: 'cache.md', title: 'Caches', parts: ['cache'] },
  { file: 'trace.md', title: 'Traces and checkpoints', parts: ['trace'] },
  { file: 'references.md', title: 'References', parts: ['references', 'parquet'] },
  { file: 'reports.md', title: 'Reports', parts: ['reports'] },
  { file: 'maintenance.md', title: 'Maintenance', parts: ['maintenance', 'maintenance.ts'] },
  { file: 'store-index.md', title: 'The index of a store', parts: ['store-index'] },
  { file: 'storage.md', title: 'Storages', parts: ['storage', 'async', 'options'] },
  { file: 'errors.md', title: 'Errors', parts: ['errors.ts'] },
  { file: 'testing.md', title: 'Testing a storage', parts: ['testing'] },
];

/**
 * The pages by their names, the members of every export, and what is wrong with the sources: exports and methods without a
 * docstring, links that lead nowhere, codes that docs/errors.md does not know, types that users meet and cannot name.
 */
export function describeApi(root = ROOT) {
  const faults = new Set();
  const exported = readExports(root, faults);
  for (const one of exported) {
    one.page = PAGES.find(({ parts }) => parts.includes(one.part));
    if (!one.page) throw new Error(`PAGES has no page for ${one.name} of src/${one.part}.`);
  }
  const api = {
    faults,
    byName: new Map(exported.map((one) => [one.name, one])),
    byNode: new Map(exported.map((one) => [one.node, one])),
    codes: readCodes(readFileSync(join(root, 'docs/errors.md'), 'utf8')),
  };
  const pages = PAGES.map((page) => ({ ...page, exports: exported.filter((one) => one.page === page) }));
  const told = pages.filter((page) => page.exports.length > 0);
  const texts = new Map([
    ['README.md', indexText(api, told)],
    ...told.map((page) => [page.file, pageText(api, page)]),
  ]);
  const members = exported.map((one) => [one.name, membersOf(api, one).map(({ name }) => name)]);
  return { texts, faults: [...faults].sort(), members: new Map(members) };
}

/** Codes, each with the heading of docs/errors.md below which it is explained. */
function readCodes(text) {
  const codes = new Map();
  let heading = '';
  for (const line of text.split('\n')) {
    heading = /^## (.+)$/.exec(line)?.[1] ?? heading;
    const code = /^\| `([A-Z_]+)` \|/.exec(line)?.[1];
    if (code) codes.set(code, heading);
  }
  return codes;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = join(ROOT, 'docs/api');
  const { texts, faults } = describeApi();
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const [file, text] of texts) writeFileSync(join(folder, file), text);
  console.log(`docs/api: ${texts.size} pages`);
  for (const fault of faults) console.error(fault);
  process.exitCode = faults.length > 0 ? 1 : 0;
}
