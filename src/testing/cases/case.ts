import assert from 'node:assert/strict';
import { isStowageError, type StowageErrorCode } from '../../errors.ts';
import type { DataStoreStorage, ListOptions, ListPage, StorageCapabilities } from '../../storage/contract.ts';

/** The tools of a case. */
export interface CaseContext {
  storage: DataStoreStorage;
  /** Opens one more instance of the same storage; it is closed when the case ends. */
  open: () => Promise<DataStoreStorage>;
  /** The beginning of the names of all objects of the case; ends in `/`. */
  base: string;
}

/** A case before it is given its surroundings. */
export interface CaseBody {
  name: string;
  requires?: (capabilities: StorageCapabilities) => boolean;
  check(context: CaseContext): Promise<void>;
}

/** Bytes that differ in every position of a period of 251, so that a part at a wrong offset is noticed. */
export function pattern(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < Math.min(length, 251); i++) bytes[i] = (i * 7) % 251;
  // Of megabytes a byte at a time would take longer than what is tested.
  for (let filled = 251; filled < length; filled *= 2) bytes.copyWithin(filled, 0, filled);
  return bytes;
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

/** Compares bytes without printing megabytes of them. */
export function assertBytes(actual: Uint8Array | undefined, expected: Uint8Array, message: string): void {
  assert.ok(actual, `${message}: the object is missing`);
  assert.ok(actual instanceof Uint8Array, `${message}: the body is no Uint8Array`);
  assert.equal(actual.length, expected.length, `${message}: wrong length`);
  assert.equal(Buffer.compare(actual, expected), 0, `${message}: wrong bytes`);
}

/** Asserts that a call rejects with a StowageError of one of `codes`. */
export async function assertRejects(
  call: () => Promise<unknown>,
  ...codes: StowageErrorCode[]
): Promise<void> {
  let error: unknown;
  try {
    await call();
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(error !== undefined, `expected ${codes.join(' or ')}, but nothing was thrown`);
  assert.ok(isStowageError(error, ...codes), `expected ${codes.join(' or ')}, got ${String(error)}`);
}

/** All pages of a listing. */
export async function pagesOf(storage: DataStoreStorage, options: ListOptions): Promise<ListPage[]> {
  const pages: ListPage[] = [];
  for await (const page of storage.list(options)) pages.push(page);
  return pages;
}

/** The names of the objects of a listing, in the order they came, without the case's base. */
export async function namesOf(
  { storage, base }: Pick<CaseContext, 'storage' | 'base'>,
  options: Partial<ListOptions> = {},
): Promise<string[]> {
  const { prefix = '', startAfter, ...rest } = options;
  const within: ListOptions = { ...rest, prefix: base + prefix };
  if (startAfter !== undefined) within.startAfter = base + startAfter;
  const pages = await pagesOf(storage, within);
  return pages.flatMap((page) => page.objects.map((object) => object.name.slice(base.length)));
}

/** Creates empty objects, many at a time. */
export async function createAll(
  { storage, base }: Pick<CaseContext, 'storage' | 'base'>,
  names: readonly string[],
): Promise<void> {
  const waiting = [...names];
  const work = async (): Promise<void> => {
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      assert.equal(await storage.create(base + name, text(name), { durability: 'deferred' }), true, name);
    }
  };
  await Promise.all(Array.from({ length: 32 }, work));
}

/** A stream that yields `chunks`, and then throws `error` if there is one. */
export async function* streamOf(chunks: readonly Uint8Array[], error?: Error): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield chunk;
  if (error) throw error;
}

/** Does something, over and over until the rest is done, beside the rest of a case; either may fail the case. */
export async function beside(over: () => Promise<void>, rest: () => Promise<void>): Promise<void> {
  let isOver = false;
  const running = (async () => {
    while (!isOver) {
      await over();
      await new Promise(setImmediate);
    }
  })();
  const settled = running.catch(() => {});
  try {
    await rest();
  } finally {
    isOver = true;
    await settled;
  }
  await running;
}

/** True if anything is listed below the case's base. */
export async function assertNothingListed(context: CaseContext): Promise<void> {
  assert.deepEqual(await namesOf(context), []);
}
