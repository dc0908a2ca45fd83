import { createRequire } from 'node:module';

let clock: { now(): number } | undefined;

/**
 * The time in milliseconds by a clock that never goes back, nor stands still where a test of the user holds `performance`. Its module is loaded by the first
 * call: most of what is measured is measured while something is written.
 */
export function clockMs(): number {
  clock ??= (createRequire(import.meta.url)('node:perf_hooks') as typeof import('node:perf_hooks'))
    .performance;
  return clock.now();
}
