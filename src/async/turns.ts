import { setImmediate as nextOfLoop } from 'node:timers/promises';

/** Long work leaves the event loop to others after so long; a turn costs some microseconds. */
const WORK_MS = 4;

/** When the turn of whoever waited last began. */
let beganMs = 0;
/** Ends when whoever waits longest for the others has its turn. */
let lastInLine: Promise<void> = Promise.resolve();

/** True once 4 ms have passed since long work of this process, whosoever, waited for its turn. */
export function isTurnOver(): boolean {
  return performance.now() - beganMs >= WORK_MS;
}

/**
 * Waits for a turn of the event loop that no other long work has: of many saves and loads under way only one goes on in each turn, in
 * the order in which they came, so that a turn does not have the work of all.
 */
export async function nextTurn(): Promise<void> {
  lastInLine = lastInLine.then(() => nextOfLoop());
  await lastInLine;
  beganMs = performance.now();
}
