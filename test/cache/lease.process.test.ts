import { join } from 'node:path';
import { describe } from 'vitest';
import { scratchFolder } from '../flow/fixtures.ts';
import { testLeases } from './lease-processes.ts';

describe('processes that call one serialized task of a store in a folder', () => {
  testLeases(() => ({ store: join(scratchFolder(), 'store') }));
});

describe('processes that call one serialized task of a store in a file of SQLite', () => {
  testLeases(() => ({ store: `sqlite:${join(scratchFolder(), 'store.db')}` }));
});
