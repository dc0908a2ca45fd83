import { expect, it } from 'vitest';
import { endAll } from '../../src/async/end-all.ts';
import { errorOf } from '../flow/fixtures.ts';

const failing = (error: unknown) => async () => {
  throw error;
};

it('runs every step in its order, whatever becomes of the ones before', async () => {
  const ran: number[] = [];
  const failure = new Error('no');
  const steps = [1, 2, 3].map((step) => async () => {
    await new Promise(setImmediate);
    ran.push(step);
    if (step === 1) throw failure;
  });
  await expect(endAll(steps)).rejects.toBe(failure);
  expect(ran).toEqual([1, 2, 3]);
  await endAll([]);
});

it('tells of all failures, and of what a step throws at once', async () => {
  const failures = [new Error('the first'), 'the second'];
  const steps = [
    failing(failures[0]),
    () => {
      throw failures[1];
    },
  ];
  const { message, details, cause } = await errorOf(endAll(steps), 'STORAGE_FAILED');
  expect(message).toBe('2 things could not be closed; all others are. The first: the first');
  expect(details.failures).toEqual(['the first', 'the second']);
  expect((cause as AggregateError).errors).toEqual(failures);
});
