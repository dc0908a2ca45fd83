import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { digestHex } from '../../src/digest/blake3.ts';
import { isStowageError, type StowageError, type StowageErrorCode } from '../../src/errors.ts';
import type { OpenTaskDataStore } from '../../src/flow/open-task-data-store.ts';
import type { TaskDataStore } from '../../src/flow/task-data-store.ts';
import { FlowDataStore } from '../../src/flow-data-store.ts';
import type { FlowDataStoreOptions } from '../../src/flow-options.ts';
import type { DataStoreStorage } from '../../src/storage/contract.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { afterThisTest } from '../cleanups.ts';

/** A folder that is removed after the test; on a tmpfs where there is one. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'stowage-test-'));
  afterThisTest(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A flow in a store of its own: in memory unless another storage is given. */
export async function openFlow(options: Partial<FlowDataStoreOptions> = {}): Promise<FlowDataStore> {
  const flow = await FlowDataStore.open({ flowName: 'Test', storage: new MemoryStorage(), ...options });
  afterThisTest(() => flow.close());
  return flow;
}

/** A flow in a store in a folder. */
export async function openLocalFlow(
  options: Partial<FlowDataStoreOptions> = {},
): Promise<{ flow: FlowDataStore; folder: string }> {
  const folder = join(scratchFolder(), 'store');
  return { flow: await openFlow({ storage: folder, ...options }), folder };
}

/** Saves one task and returns its pathspec. */
export async function saveTask(
  flow: FlowDataStore,
  artifacts: Record<string, unknown>,
  {
    runId = 'r1',
    stepName = 'fit',
    taskId = '0',
    attempt,
  }: { runId?: string; stepName?: string; taskId?: string; attempt?: number } = {},
): Promise<string> {
  await flow.task({ runId, stepName, taskId, attempt }, (task) => task.saveArtifacts(artifacts));
  return `${runId}/${stepName}/${taskId}`;
}

/** The StowageError that `work` fails with; anything else fails the test. */
export async function errorOf(
  work: Promise<unknown> | (() => Promise<unknown>),
  code?: StowageErrorCode,
): Promise<StowageError> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    if (!isStowageError(error)) throw error;
    if (code !== undefined && error.code !== code) throw error;
    return error;
  }
  throw new Error(`expected ${code ?? 'a StowageError'}, but nothing was thrown`);
}

/**
 * What an attempt holds after a save of it was refused. It cannot be done then, and is failed; what it had saved can be read of
 * it all the same.
 */
export async function readIncomplete(flow: FlowDataStore, task: OpenTaskDataStore): Promise<TaskDataStore> {
  await errorOf(task.done(), 'SAVE_FAILED');
  await task.fail(new Error('incomplete'));
  return flow.getTaskDataStore(task.pathspec, { allowNotDone: true });
}

/** The names of all objects below a prefix. */
export async function objectNames(storage: DataStoreStorage, prefix = ''): Promise<string[]> {
  const names: string[] = [];
  for await (const page of storage.list({ prefix })) names.push(...page.objects.map(({ name }) => name));
  return names;
}

/** Bytes that do not compress and never repeat within a test: xorshift32 from `seed`. */
export function noise(bytes: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(bytes / 4));
  let state = seed | 0 || 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, bytes);
}

/** Like `toEqual`, but compares bytes as bytes: element by element a few hundred kilobytes take seconds. */
export function expectSame(actual: Record<string, unknown>, expected: Record<string, unknown>): void {
  expect(comparable(actual)).toEqual(comparable(expected));
}

function comparable(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? digestHex(value) : value,
    ]),
  );
}
