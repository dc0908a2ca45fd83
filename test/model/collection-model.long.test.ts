import { describe, expect, it } from 'vitest';
import { exploreCollection } from './collection-model.ts';
import { LARGE, LOSSES } from './configurations.ts';

describe('the model of collection', () => {
  it.each(Object.entries(LARGE))('loses nothing: %s', (_name, configuration) => {
    const found = exploreCollection(configuration);
    expect(found).toMatchObject({ isCut: false });
    expect(found.loss).toBeUndefined();
    expect(found.states).toBeGreaterThan(100_000);
  });

  it.each(LOSSES.filter(([, { collectors }]) => collectors > 1))(
    'loses content without: %s',
    (rule, configuration) => {
      expect(exploreCollection(configuration, { without: [rule] }).loss).toBeDefined();
    },
  );
});
