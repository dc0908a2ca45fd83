import { join } from 'node:path';
import { describe } from 'vitest';
import { SqliteStorage } from '../../src/storage/databases.ts';
import { RetryStorage } from '../../src/storage/retry.ts';
import { describeStorage } from '../../src/testing/index.ts';
import { runnerWithout } from './conformance-runner.ts';
import { scratchFolder } from './scratch.ts';

const folder = scratchFolder();
const address = (name: string): string => `sqlite:${join(folder, name)}`;

describe('the promises of every storage', () => {
  describeStorage(runnerWithout(), 'sqlite', () => SqliteStorage.open(address('plain.db')));
  describeStorage(
    runnerWithout(),
    'sqlite, by retry',
    async () => new RetryStorage(await SqliteStorage.open(address('retried.db'))),
  );
});
