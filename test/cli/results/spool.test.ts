import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import fc from 'fast-check';
import { expect } from 'vitest';
import { Spool } from '../../../src/cli/results/spool.ts';
import { test } from '../../property.ts';

const folders = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('stowage-get-'));

test.prop([fc.array(fc.jsonValue()), fc.constantFrom(0, 10, 1_000_000)])(
  'a spool gives back what was added, in its order, from memory and from a file, as often as it is asked, and leaves nothing',
  (values, maxMemoryBytes) => {
    const before = folders();
    const spool = new Spool<unknown>({ maxMemoryBytes });
    try {
      for (const value of values) spool.add(value);
      const said = JSON.stringify(values);
      expect(JSON.stringify([...spool.values()])).toBe(said);
      expect(JSON.stringify([...spool.values()])).toBe(said);
    } finally {
      spool.close();
    }
    expect(folders()).toEqual(before);
  },
);

test.prop([fc.integer({ min: 60_000, max: 140_000 }), fc.constantFrom('x', 'é', '漢', '"')])(
  'a line may be longer than what is read at once',
  (length, character) => {
    const spool = new Spool<string>({ maxMemoryBytes: 0 });
    try {
      for (const text of [character.repeat(length), 'next']) spool.add(text);
      expect([...spool.values()]).toEqual([character.repeat(length), 'next']);
    } finally {
      spool.close();
    }
  },
);
