import { CACHED_TASK_ID } from '../format/cache-names.ts';

/**
 * The attempt that a recorded hit of the cache took its result from; `undefined` of every other attempt. The record of a hit has read nothing
 * but that attempt: one of the same step and of the same task, whose id is made of the call's key. Other tasks may read their namesakes, too.
 */
export function sourceOfHit(
  { step, task }: { step: string; task: string },
  [only, ...others]: readonly string[],
): string | undefined {
  if (only === undefined || others.length > 0 || !CACHED_TASK_ID.test(task)) return undefined;
  const [, , ofStep, ofTask] = only.split('/');
  return ofStep === step && ofTask === task ? only : undefined;
}
