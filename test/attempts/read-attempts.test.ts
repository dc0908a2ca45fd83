import { expect, it } from 'vitest';
import { ReadAttempts } from '../../src/attempts/read-attempts.ts';

it('are recorded once each, in their order, and 50,000 at most', () => {
  const read = new ReadAttempts();
  read.adopt(['F/r0/a/0/0', 'F/r0/b/0/0']);
  for (let task = 0; task < 49_998; task++) read.add(`F/r/s/${task}/0`);
  expect(read.pathspecs.length).toBe(50_000);
  expect(read.pathspecs.slice(0, 3)).toEqual(['F/r0/a/0/0', 'F/r0/b/0/0', 'F/r/s/0/0']);
  expect(() => read.add('F/r/one/more/0')).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
});

it('may be read again', () => {
  const read = new ReadAttempts();
  read.add('F/r/s/0/0');
  read.add('F/r/s/0/0');
  expect(read.pathspecs).toEqual(['F/r/s/0/0']);
});
