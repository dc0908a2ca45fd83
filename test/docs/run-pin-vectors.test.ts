import { describe, expect, it } from 'vitest';
import vectors from '../../docs/format-vectors/run-pins.json' with { type: 'json' };
import { readRunFinished } from '../../src/format/run-ends.ts';
import { readRunPin } from '../../src/format/run-pins.ts';
import { MemoryStorage } from '../../src/storage/memory.ts';

describe('the vectors of pins', () => {
  it('read as they say', async () => {
    const storage = new MemoryStorage();
    for (const { name, record } of vectors.records) await storage.create(name, Buffer.from(record));
    const { flow, run, pin, end } = vectors;
    expect(await readRunPin(storage, flow, run, {})).toEqual(pin);
    expect(await readRunPin(storage, flow, run, {}, 0)).toMatchObject({
      pinned: true,
      reason: 'the model of the paper',
    });
    expect(await readRunFinished(storage, flow, run, {})).toEqual(end);
  });
});
