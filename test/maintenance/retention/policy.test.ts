import { describe, expect, it } from 'vitest';
import { isLimited, readPolicy } from '../../../src/maintenance/retention/policy.ts';
import { errorOf } from '../../flow/fixtures.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

describe('a policy', () => {
  it('reads ages and sizes, and gives failed runs the same limits', () => {
    const { rulesOf, cache } = readPolicy({
      keepWithin: '30d',
      keepLast: 10,
      maxBytes: '500GB',
      keepTags: ['release'],
      cache: { keepWithin: '2w', maxBytes: 5 },
    });
    const rules = rulesOf('Train');
    expect(rules).toMatchObject({
      keepWithinMs: 30 * DAY_MS,
      keepLast: 10,
      maxBytes: 500e9,
      contentOnly: false,
    });
    expect(rules.failed).toMatchObject({ keepWithinMs: 30 * DAY_MS, keepLast: 10 });
    expect([...rules.keepTags]).toEqual(['release']);
    expect(cache).toMatchObject({ keepWithinMs: 14 * DAY_MS, maxBytes: 5, keepLast: undefined });
  });

  it('of a flow takes the place of all rules', () => {
    const { rulesOf } = readPolicy({
      keepWithin: '1d',
      failed: { keepLast: 1 },
      flows: { Train: { keepLast: 3 }, Keep: {} },
    });
    expect(rulesOf('Other')).toBe(rulesOf('Another'));
    expect(rulesOf('Other').failed).toEqual({ keepWithinMs: undefined, keepLast: 1 });
    expect(rulesOf('Train')).toMatchObject({ keepWithinMs: undefined, keepLast: 3 });
    expect(isLimited(rulesOf('Train').failed)).toBe(true);
    expect(isLimited(rulesOf('Keep'))).toBe(false);
    expect(isLimited(rulesOf('constructor'))).toBe(true);
  });

  it.each([
    [undefined, 'A policy must be an object of rules'],
    [[], 'A policy must be an object of rules'],
    [{ keepwithin: '1d' }, 'A policy has no option keepwithin'],
    [{ keepWithin: '30 days' }, 'keepWithin is an age'],
    [{ keepLast: '10' }, 'keepLast must be an integer from 0 on, not "10"'],
    [{ keepLast: -1 }, 'keepLast must be an integer'],
    [{ maxBytes: 'lots' }, 'maxBytes is a size'],
    [{ keepTags: 'release' }, 'keepTags must be a list of names'],
    [{ keepStatus: ['ok'] }, 'keepStatus must be a list of open, done, failed, abandoned'],
    [{ failed: { keepTags: [] } }, 'failed has no option keepTags'],
    [{ failed: { keepWithin: 'x' } }, 'keepWithin of failed is an age'],
    [{ flows: { Train: { keepLast: 1.5 } } }, 'keepLast of flow Train must be an integer'],
    [{ flows: { Train: '30d' } }, 'The policy of flow Train must be an object of rules'],
    [{ flows: [] }, 'flows of a policy must be an object'],
    [{ cache: { keepLast: null } }, 'keepLast of cache must be an integer'],
    [{ cache: { keepWithin: 'ever' } }, 'keepWithin of cache is an age'],
  ])('that is none is refused: %j', async (policy, message) => {
    const error = await errorOf(async () => readPolicy(policy), 'INVALID_ARGUMENT');
    expect(error.message).toContain(message);
  });

  it('of what can be no flow is INVALID_NAME', async () => {
    await errorOf(async () => readPolicy({ flows: { 'a/b': {} } }), 'INVALID_NAME');
  });
});
