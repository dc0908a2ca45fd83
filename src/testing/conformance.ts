import { randomBytes } from 'node:crypto';
import type { DataStoreStorage, StorageCapabilities } from '../storage/contract.ts';
import type { CaseBody, CaseContext } from './cases/case.ts';
import { createCases } from './cases/create.ts';
import { deleteCases } from './cases/delete.ts';
import { lifecycleCases } from './cases/lifecycle.ts';
import { listCases } from './cases/list.ts';
import { nameCases } from './cases/names.ts';
import { overwriteCases } from './cases/overwrite.ts';
import { readCases } from './cases/read.ts';

/** One promise of the contract, and how to see whether a storage keeps it. */
export interface ConformanceCase {
  /** The promise. */
  readonly name: string;
  /** True if a storage of these capabilities has to keep it. Default: every storage has. */
  readonly requires?: ((capabilities: StorageCapabilities) => boolean) | undefined;
  /**
   * Rejects (with an `AssertionError`, or with what the storage threw) where the promise is broken.
   *
   * @param open opens one more instance of one and the same storage each time. The storage may hold other objects: a
   *   case writes below a prefix of its own, and cleans up.
   */
  run(open: () => Promise<DataStoreStorage>): Promise<void>;
}

/** Every promise of `DataStoreStorage`, as cases that any test runner can run, in any order, side by side. */
export function storageConformance(): ConformanceCase[] {
  const bodies: CaseBody[] = [
    ...createCases,
    ...readCases,
    ...listCases,
    ...overwriteCases,
    ...deleteCases,
    ...nameCases,
    ...lifecycleCases,
  ];
  return bodies.map((body) => ({ ...body, run: (open) => runCase(body, open) }));
}

/** The two functions of a test runner that the suite needs: those of vitest, jest, mocha and `node:test` will do. */
export interface TestRunner {
  /** Groups tests under a title. */
  describe(title: string, body: () => void): unknown;
  /** Adds a test. */
  it(name: string, body: (context?: unknown) => Promise<void>): unknown;
}

/**
 * Registers the whole suite with a test runner. Cases that the storage's capabilities do not ask for are skipped where
 * the runner's context has a `skip`.
 *
 * @param open opens one more instance of one and the same storage each time
 */
export function describeStorage(
  runner: TestRunner,
  title: string,
  open: () => Promise<DataStoreStorage>,
): void {
  runner.describe(title, () => {
    for (const one of storageConformance()) {
      runner.it(one.name, async (context) => {
        if (await isRequired(one, open)) await one.run(open);
        else (context as { skip?: (why: string) => void } | undefined)?.skip?.('not among its capabilities');
      });
    }
  });
}

async function isRequired(one: ConformanceCase, open: () => Promise<DataStoreStorage>): Promise<boolean> {
  if (!one.requires) return true;
  const storage = await open();
  const isNeeded = one.requires(storage.capabilities);
  await storage.close();
  return isNeeded;
}

/** Gives the case a prefix of its own; closes what it opened and deletes what it wrote, however it ends. */
async function runCase(body: CaseBody, open: () => Promise<DataStoreStorage>): Promise<void> {
  const opened: DataStoreStorage[] = [];
  const openOne = async (): Promise<DataStoreStorage> => {
    const storage = await open();
    opened.push(storage);
    return storage;
  };
  const base = `conformance-${randomBytes(8).toString('hex')}/`;
  const context: CaseContext = { storage: await openOne(), open: openOne, base };
  try {
    await body.check(context);
  } finally {
    await cleanUp(open, base);
    await Promise.allSettled(opened.map((storage) => storage.close()));
  }
}

async function cleanUp(open: () => Promise<DataStoreStorage>, base: string): Promise<void> {
  const storage = await open();
  try {
    for await (const page of storage.list({ prefix: base })) {
      await storage.delete(page.objects.map((object) => object.name));
    }
  } finally {
    await storage.close();
  }
}
