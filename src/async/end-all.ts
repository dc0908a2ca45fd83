import { messageOf, StowageError } from '../errors.ts';

/**
 * Runs all steps of an ending, one after another, whatever becomes of each: what one step cannot close keeps none of the others open.
 *
 * @throws what failed, once all have run: a single failure as it is; of several a `STORAGE_FAILED` whose cause is an `AggregateError` of all
 */
export async function endAll(steps: Iterable<() => unknown>): Promise<void> {
  const failures: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length === 0) return;
  if (failures.length === 1) throw failures[0];
  throw new StowageError(
    'STORAGE_FAILED',
    `${failures.length} things could not be closed; all others are. The first: ${messageOf(failures[0])}`,
    { details: { failures: failures.map(messageOf) }, cause: new AggregateError(failures) },
  );
}
