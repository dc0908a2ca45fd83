import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Layers of tests, told by file name: `x.server.test.ts`; without one it is a unit test. `test/house/layers.test.ts` checks them. */
const LAYERS = ['process', 'server', 'long'];

/** How many times as long a test may take as on a quiet machine: more where others share its processors. */
const PATIENCE = Number(process.env.STOWAGE_TEST_PATIENCE ?? 1);
const LONGEST_MS = 300_000;

export default defineConfig({
  test: {
    // Vitest leaves one core to itself, which on a machine with two runs one file after the other; most of ours wait for
    // servers, other processes and fsyncs.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    setupFiles: ['test/setup.ts'],
    coverage: { provider: 'v8', include: ['src/**/*.ts'], thresholds: { lines: 90 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: LAYERS.map((layer) => `test/**/*.${layer}.test.ts`),
          // Files share the modules of their worker: loading the sources anew for each took most of the time.
          isolate: false,
          testTimeout: 5_000 * PATIENCE,
          hookTimeout: 10_000 * PATIENCE,
        },
      },
      ...LAYERS.map((layer) => ({
        extends: true as const,
        test: {
          name: layer,
          include: [`test/**/*.${layer}.test.ts`],
          testTimeout: layer === 'long' ? LONGEST_MS : Math.min(60_000 * PATIENCE, LONGEST_MS),
          hookTimeout: Math.min(60_000 * PATIENCE, LONGEST_MS),
        },
      })),
    ],
  },
});
