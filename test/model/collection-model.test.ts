import { describe, expect, it } from 'vitest';
import { exploreCollection, RULES } from './collection-model.ts';
import { LOSSES, SMALL } from './configurations.ts';
import { exploreValues, VALUE_RULES } from './values-model.ts';

describe('the model of collection', () => {
  it.each(Object.entries(SMALL))('loses nothing: %s', (_name, configuration) => {
    const found = exploreCollection(configuration);
    expect(found).toMatchObject({ isCut: false });
    expect(found.loss).toBeUndefined();
    expect(found.states).toBeGreaterThan(10_000);
  });

  it('is tried without each of its rules', () => {
    expect(LOSSES.map(([rule]) => rule)).toEqual([...RULES]);
  });

  it.each(LOSSES.filter(([, { collectors }]) => collectors === 1))(
    'loses content without: %s',
    (rule, configuration) => {
      expect(exploreCollection(configuration, { without: [rule] }).loss).toBeDefined();
    },
  );
});

describe('the model of values', () => {
  it('loses nothing', () => {
    expect(exploreValues(2)).toEqual({ states: expect.any(Number), isCut: false });
  });

  it.each(VALUE_RULES)('loses values without: %s', (rule) => {
    expect(exploreValues(2, { without: [rule] }).loss).toBeDefined();
  });
});
