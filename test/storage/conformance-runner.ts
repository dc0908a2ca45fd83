import { describe, it } from 'vitest';
import type { TestRunner } from '../../src/testing/index.ts';

/**
 * How the name of the case begins that makes thousands of objects. Some servers of the tests look through all of them for each request,
 * so that once for each service is enough; decorators and prefixes are tried by all other cases, and listings of thousands below a prefix
 * by that of Cloud Storage.
 */
export const OF_THOUSANDS: readonly string[] = ['list: 2010 objects'];

/** A busy machine takes long for thousands of requests. */
const TIMEOUT_MS = 300_000;
/** A server that other work keeps from answering for a minute breaks no promise; a bare storage would pass its silence on. */
export const PATIENT = { requestTimeoutMs: 250_000 } as const;

/** A runner that skips cases, by how their names begin. */
export function runnerWithout(skipped: readonly string[] = []): TestRunner {
  return runnerOf((name) => !startsWithOne(name, skipped));
}

/** A runner of those cases only, by how their names begin. */
export function runnerOfOnly(chosen: readonly string[]): TestRunner {
  return runnerOf((name) => startsWithOne(name, chosen));
}

function runnerOf(isRun: (name: string) => boolean): TestRunner {
  return {
    describe,
    it: (name, body) => it.runIf(isRun(name))(name, { timeout: TIMEOUT_MS }, body),
  };
}

function startsWithOne(name: string, beginnings: readonly string[]): boolean {
  return beginnings.some((beginning) => name.startsWith(beginning));
}
