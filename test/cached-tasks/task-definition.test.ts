import { expect, it } from 'vitest';
import { openFlow } from '../flow/fixtures.ts';

class Model {
  readonly #weight = 2;
  readonly bias = 1;

  /** With another `this` it would give `NaN`. */
  score(input: number): number {
    return input * 2 + this.bias;
  }

  /** With another `this` it throws in any case. */
  secret(input: number): number {
    return input * this.#weight;
  }
}

it('a method that is passed without its object fails as it does when it is called so, and nothing is cached', async () => {
  const flow = await openFlow();
  const model = new Model();
  for (const run of [model.score, model.secret]) {
    const task = flow.cachedTask({ name: run.name, version: '1', run });
    await expect(task(1)).rejects.toThrow(TypeError);
    expect(await task.plan([1])).toMatchObject({ hits: 0, misses: 1 });
  }
  const bound = flow.cachedTask({ name: 'bound', version: '1', run: (input: number) => model.score(input) });
  expect(await bound(1)).toBe(3);
});
