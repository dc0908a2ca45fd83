import { describe, it } from 'vitest';
import type { TestRunner } from '../../src/testing/index.ts';

/**
 * How the names of the cases begin that make thousands of objects. Some servers of the tests look through all of them for each request,
 * so that once on each server is enough; decorators and prefixes are tried by all other cases, and listings of thousands below a prefix
 * by those of Azure and Cloud Storage.
 */
export const OF_THOUSANDS: readonly string[] = ['list: 2010 objects', 'delete: more than a page of names'];

/** A busy machine takes long for thousands of requests. */
const TIMEOUT_MS = 180_000;

/** A runner that skips cases, by how their names begin. */
export function runnerWithout(skipped: readonly string[] = []): TestRunner {
  const isSkipped = (name: string): boolean => skipped.some((beginning) => name.startsWith(beginning));
  return {
    describe,
    it: (name, body) => it.skipIf(isSkipped(name))(name, { timeout: TIMEOUT_MS }, body),
  };
}
