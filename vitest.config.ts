import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Layers of tests, told by file name: `x.server.test.ts`; without one it is a unit test. `test/house/layers.test.ts` checks them. */
const LAYERS = ['process', 'server', 'long'];

/** How many times as long a test may take as on a quiet machine: more where others share its processors. */
const PATIENCE = Number(process.env.STOWAGE_TEST_PATIENCE ?? 1);
const LONGEST_MS = 300_000;

/** The files that take longest, the first one most, by how their paths end. */
const LONGEST = [
  ...['storage/s3.server', 'storage/s3-bad-way.server', 'maintenance/collection/crowd.server'],
  ...['storage/gcs.server', 'storage/azure.server', 'model/collection-model.long', 'storage/s3-large.server'],
  ...['package/demo.process', 'storage/s3-faults.server', 'docs/format-reader.process'],
  ...['storage/wire-budget.server', 'codec/chunker.long', 'values/long-text.long'],
  ...['model/small-models.long', 'flow/strange-errors', 'maintenance/fsck/check-store.long'],
  ...['maintenance/copy-interrupted.long', 'storage/conformance'],
].map((path) => `/test/${path}.test.ts`);

/**
 * Begins with the longest, so that at the end no worker waits for another one. Vitest goes by size where it remembers no times, as in a
 * fresh clone, and most of these are short.
 */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const longest = LONGEST.flatMap((end) => files.filter(({ moduleId }) => moduleId.endsWith(end)));
    const others = files.filter((file) => !longest.includes(file));
    return [...longest, ...(await super.sort(others))];
  }
}

export default defineConfig({
  test: {
    // Elsewhere the ones that failed come first, and the times of the last run count.
    ...(process.env.CI && { sequence: { sequencer: LongestFirst } }),
    // Vitest leaves one core to itself, which on a machine with two runs one file after the other; most of ours wait for
    // servers, other processes and fsyncs.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    setupFiles: ['test/setup.ts'],
    // Tests leave nothing in the folders of who runs them, and find nothing there.
    env: { STOWAGE_FILE_INDEX: 'off', STOWAGE_COLLECTION_MEMORY: 'off' },
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
          // One that takes longer belongs in another layer. A machine that does other work beside needs patience.
          testTimeout: Math.min(5_000 * PATIENCE, LONGEST_MS),
          hookTimeout: Math.min(10_000 * PATIENCE, LONGEST_MS),
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
