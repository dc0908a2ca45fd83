// Vitest runs this before each test file. Hooks for all tests belong here: what it imports is loaded once for each worker, and a hook
// there would be one of the first file only.
import { afterEach } from 'vitest';
import { cleanUp } from './cleanups.ts';
import './equal-bytes.ts';

afterEach(cleanUp);
