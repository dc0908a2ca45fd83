import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Layers of tests, told by file name: `x.server.test.ts`; without one it is a unit test. `test/house/layers.test.ts` checks them. */
const LAYERS = ['process', 'server', 'long'];

export default defineConfig({
  test: {
    // Vitest leaves one core to itself, which on a machine with two runs one file after the other; most of ours wait for
    // servers, other processes and fsyncs.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    coverage: { provider: 'v8', include: ['src/**/*.ts'], thresholds: { lines: 90 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: LAYERS.map((layer) => `test/**/*.${layer}.test.ts`),
          testTimeout: 5_000,
          hookTimeout: 10_000,
        },
      },
      ...LAYERS.map((layer) => ({
        extends: true as const,
        test: {
          name: layer,
          include: [`test/**/*.${layer}.test.ts`],
          testTimeout: layer === 'long' ? 300_000 : 60_000,
          hookTimeout: 60_000,
        },
      })),
    ],
  },
});
