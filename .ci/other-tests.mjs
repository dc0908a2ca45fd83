// Tells, after `npm test`, which tests it did not run. Usage: node .ci/other-tests.mjs
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const LAYERS = { process: 'start processes', server: 'start servers', long: 'take long' };
const names = readdirSync(fileURLToPath(new URL('../test', import.meta.url)), { recursive: true });
const told = Object.entries(LAYERS).map(([layer, what]) => {
  const count = names.filter((name) => name.endsWith(`.${layer}.test.ts`)).length;
  return `${count} files that ${what} (npx vitest run --project ${layer})`;
});
console.log(
  `These were the unit tests. There are more: ${told.join(', ')}.\nnpm run test:all runs all of them.`,
);
