// Copies one store to another, and says what became of it. Usage: node copy.mjs FROM TO
import { copyStore } from '../../../dist/index.js';

const [from, to] = process.argv.slice(2);
process.stdout.write('ready\n');
const { attempts, problems } = await copyStore({ from, to });
process.stdout.write(
  `${JSON.stringify({ attempts, problems: problems.map(({ error }) => error.message) })}\n`,
);
