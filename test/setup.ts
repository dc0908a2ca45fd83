// Vitest runs this before each test file. Hooks for all tests belong here: what it imports is loaded once for each worker, and a hook
// there would be one of the first file only.
import { afterEach } from 'vitest';
import { cleanUp } from './cleanups.ts';
import './equal-bytes.ts';

afterEach(cleanUp);

// Many tests do what Stowage warns of. Node.js would print it among the results, where it is nobody's to read; the events stay.
const print = process.listeners('warning').find(({ name }) => name === 'onWarning');
if (print) {
  process.off('warning', print);
  process.on('warning', (warning) => {
    if (warning.name !== 'StowageWarning') print(warning);
  });
}
