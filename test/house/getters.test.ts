import { expect, it } from 'vitest';
import { readSources } from './imports.ts';

/** Made once for each storage, however much is read from it. */
const MADE_ONCE = ['storage/local.ts'];
/** A getter of a class is indented once. */
const WITHIN_LITERAL = /^ {4,}get \w+\(\)/m;

it('no literal has a getter: its hidden class keeps it, and what it can see, until V8 looks through all of the memory', () => {
  const found = [...readSources()].filter(([, { text }]) => WITHIN_LITERAL.test(text));
  expect(found.map(([file]) => file)).toEqual(MADE_ONCE);
});
