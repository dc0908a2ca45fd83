import { describe, expect } from 'vitest';
import { MemoryStorage } from '../../src/storage/memory.ts';
import { propertyRuns, test } from '../property.ts';
import { arbitrarySteps, History } from './history.ts';
import { openIndex, rowsOf } from './indexes.ts';

describe('an index', () => {
  test.prop([arbitrarySteps], { numRuns: Math.ceil(propertyRuns / 3) })(
    'that was caught up at any moments, and fully at the end, has the rows of one that is made from nothing',
    async (steps) => {
      const history = await History.begin(new MemoryStorage());
      const { index, path } = await openIndex({ store: history.storage });
      for (const step of steps) {
        await history.do(step);
        if (step.kind === 'catch up') await index.catchUp();
      }
      await index.catchUp({ full: true });
      const { index: another, path: itsPath } = await openIndex({ store: history.storage });
      await another.rebuild();
      expect(await rowsOf(path)).toEqual(await rowsOf(itsPath));
    },
    60_000,
  );
});
