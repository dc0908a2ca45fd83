import { expect, it } from 'vitest';
import { readSources } from './imports.ts';

it('no source has what the bundler compiles to a helper of a package that nobody installs: `using`', () => {
  const using = [...readSources()].filter(([, { text }]) => /^\s*(?:await )?using \w+ =/m.test(text));
  expect(using.map(([file]) => file)).toEqual([]);
});
