import fc from 'fast-check';
import { expect } from 'vitest';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import type { CopyResult } from '../../src/maintenance/copy-report.ts';
import { copyStore } from '../../src/maintenance/copy-store.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { noise } from '../flow/fixtures.ts';
import { readAll } from './copied-store.ts';

/** An attempt to be made. */
export interface Plan {
  run: string;
  task: string;
  outcome: 'done' | 'failed' | 'open';
  artifacts: Record<string, unknown>;
  metadata: Record<string, string | number>;
  log: string | undefined;
  /** The text of a report. */
  report: string | undefined;
  /** What a traced call returns, and two checkpoints hold, for the next attempt. */
  state: Uint8Array | undefined;
}

const bytes = fc
  .tuple(fc.constantFrom(1, 20_000, 60_000, 270_000), fc.integer({ min: 1, max: 4 }))
  .map(([length, seed]) => noise(length, seed));
const value = fc.oneof(
  { weight: 3, arbitrary: bytes },
  { weight: 2, arbitrary: fc.jsonValue() as fc.Arbitrary<unknown> },
);

/** Attempts of a few tasks, in the order in which they are made. */
export const arbitraryPlans: fc.Arbitrary<Plan[]> = fc.array(
  fc.record({
    run: fc.constantFrom('r1', '2026-01-31T08:00:00Z'),
    task: fc.constantFrom('0', '0-a', 'ä'),
    outcome: fc.constantFrom('done', 'done', 'failed', 'open'),
    artifacts: fc.dictionary(fc.constantFrom('a', 'b', 'c'), value, { maxKeys: 3 }),
    metadata: fc.dictionary(fc.constantFrom('m', 'n'), fc.oneof(fc.string(), fc.integer()), { maxKeys: 2 }),
    log: fc.option(fc.string(), { nil: undefined }),
    report: fc.option(fc.string(), { nil: undefined }),
    state: fc.option(bytes, { nil: undefined }),
  }),
  { maxLength: 6 },
);

export async function carryOut(flow: FlowDataStore, plans: readonly Plan[]): Promise<void> {
  for (const { run, task, outcome, artifacts, metadata, log, report, state } of plans) {
    const attempt = await flow.createTaskDataStore({ runId: run, stepName: 'fit', taskId: task });
    await attempt.saveArtifacts(artifacts);
    await attempt.saveMetadata(metadata);
    if (log !== undefined) await attempt.saveLogs('task', { stdout: log });
    if (report !== undefined) attempt.report('said').text(report);
    if (state) {
      await attempt.trace('state', () => state)();
      await attempt.checkpoint.save([state, task]);
      await attempt.checkpoint.save([task, state]);
    }
    if (outcome === 'done') await attempt.done();
    if (outcome === 'failed') await attempt.fail(new RangeError('diverged'));
  }
}

/** Copies, and the target then has all that is closed in the source, as it is there: `all`, which is read where it is not given. */
export async function expectCopied(
  from: DataStoreStorage,
  to: DataStoreStorage,
  all?: Record<string, unknown>,
): Promise<CopyResult> {
  const result = await copyStore({ from, to });
  expect(result.problems).toEqual([]);
  expect(await readAll(to)).toEqual(all ?? (await readAll(from)));
  return result;
}
