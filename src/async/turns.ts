import { setImmediate as nextOfLoop } from 'node:timers/promises';

/** Long work leaves the event loop to others after so long; a turn costs some microseconds. */
const WORK_MS = 4;

/** When the turn of whoever waited last began. */
let beganMs = 0;
/** Ends when whoever waits longest for the others has its turn. */
let lastInLine: Promise<void> = Promise.resolve();

/** True once 4 ms have passed since long work of this process, whosoever, waited for its turn. */
export function isTurnOver(): boolean {
  return hasPassed(beganMs, WORK_MS);
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

/** Calls that wait for nothing leave it after so long. */
const CALLS_MS = 10;
/** When they left it last, and the turn that they wait for. */
let leftMs = 0;
let turning: Promise<void> | undefined;

/**
 * Gives the result of a call that waited for nothing: at once, or after a turn of the event loop where the last one of such calls is 10 ms
 * ago. Without it a loop of such calls lets no timer, no signal and nobody's input through, and waits for ever for what these bring. All
 * wait for one turn, and get their results in the order of their calls; they stand in no line behind long work.
 */
export function afterTurn<T>(result: T): T | Promise<T> {
  if (!turning && !hasPassed(leftMs, CALLS_MS)) return result;
  turning ??= nextOfLoop().then(() => {
    leftMs = performance.now();
    turning = undefined;
  });
  return turning.then(() => result);
}

/** Also of a time that is to come, as clocks of tests leave one. */
function hasPassed(sinceMs: number, limitMs: number): boolean {
  const passedMs = performance.now() - sinceMs;
  return passedMs >= limitMs || passedMs < 0;
}
