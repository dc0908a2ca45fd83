// Assembles src/codec/kernel.wat into src/codec/kernel-module.ts, so that neither installing nor using the package compiles or
// downloads anything. Usage: npm run kernel, after a change of the source; a test compares the two.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import wabt from 'wabt';

const CODEC = new URL('../src/codec/', import.meta.url);
export const MODULE_FILE = fileURLToPath(new URL('kernel-module.ts', CODEC));
const SOURCE_FILE = fileURLToPath(new URL('kernel.wat', CODEC));
const LINE = 120;

/** The text of `kernel-module.ts`: equal for equal sources, whatever machine it runs on. */
export async function assembleKernel() {
  const { parseWat } = await wabt();
  const module = parseWat(SOURCE_FILE, readFileSync(SOURCE_FILE, 'utf8'), { simd: true });
  try {
    module.validate({ simd: true });
    const base64 = Buffer.from(module.toBinary({}).buffer).toString('base64');
    const lines = base64.match(new RegExp(`.{1,${LINE}}`, 'g'));
    return `/** The WebAssembly module of \`kernel.wat\`, in base64. Made by \`npm run kernel\`; do not edit. */
export const KERNEL_MODULE = \`
${lines.join('\n')}
\`;
`;
  } finally {
    module.destroy();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(MODULE_FILE, await assembleKernel());
