import { describe, expect, it } from 'vitest';
import { sourceOfHit } from '../../src/views/hit-source.ts';

describe('the source of a hit', () => {
  const task = '579d5420369da1eddc32';
  const source = `F/q/fit/${task}/0`;

  it('is the attempt of the same step and task, which it read alone', () => {
    expect(sourceOfHit({ step: 'fit', task }, [source])).toBe(source);
  });

  it('is none of a task that is no cached call, none of another step, and none of what read others as well', () => {
    expect(sourceOfHit({ step: 'fit', task: '0' }, ['F/q/fit/0/0'])).toBeUndefined();
    expect(sourceOfHit({ step: 'load', task }, [source])).toBeUndefined();
    expect(sourceOfHit({ step: 'fit', task }, [source, 'F/r/load/0/0'])).toBeUndefined();
    expect(sourceOfHit({ step: 'fit', task }, [])).toBeUndefined();
  });
});
