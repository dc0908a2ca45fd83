import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { exploreCollection } from './collection-model.ts';
import { type Configuration, RULES, STEPS } from './collection-state.ts';
import { LOSSES, SMALL } from './configurations.ts';
import type { Exploration } from './explore.ts';
import { exploreValues, VALUE_RULES, VALUE_STEPS } from './values-model.ts';

const explored = new Map<string, Exploration>();

/** Each is explored once. */
function exploreSmall(name: string): Exploration {
  const found = explored.get(name) ?? exploreCollection(SMALL[name] as Configuration);
  explored.set(name, found);
  return found;
}

describe('the model of collection', () => {
  it.each(Object.keys(SMALL))('loses nothing: %s', (name) => {
    const found = exploreSmall(name);
    expect(found).toMatchObject({ isCut: false });
    expect(found.loss).toBeUndefined();
    expect(found.states).toBeGreaterThan(5_000);
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
    expect(exploreValues(2)).toMatchObject({ states: expect.any(Number), isCut: false });
    expect(exploreValues(2).loss).toBeUndefined();
  });

  it.each(VALUE_RULES)('loses values without: %s', (rule) => {
    expect(exploreValues(2, { without: [rule] }).loss).toBeDefined();
  });
});

describe('the steps of the models', () => {
  const src = join(import.meta.dirname, '../../src');
  const named = new Map<string, string[]>();
  for (const file of readdirSync(src, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    for (const [, steps = ''] of readFileSync(join(src, file), 'utf8').matchAll(/\(model: ([^)]*)\)/g)) {
      for (const [, step = ''] of steps.matchAll(/`([^`]+)`/g)) {
        named.set(step, [...(named.get(step) ?? []), file.replaceAll('\\', '/')]);
      }
    }
  }

  it.each([...STEPS, ...VALUE_STEPS])('stand in the sources by the same name: %s', (step) => {
    expect(named.get(step) ?? []).not.toEqual([]);
  });

  it('are taken in the models', () => {
    const taken = new Set<string>();
    for (const { labels } of [...Object.keys(SMALL).map(exploreSmall), exploreValues(2)])
      for (const label of labels) taken.add(label.replace(/^[WG]\d /, '').replace(/:.*$/, ''));
    expect([...STEPS, ...VALUE_STEPS].filter((step) => !taken.has(step))).toEqual([]);
  });

  it('are all that the sources name', () => {
    const steps = new Set<string>([...STEPS, ...VALUE_STEPS]);
    expect([...named.keys()].filter((step) => !steps.has(step))).toEqual([]);
  });
});
