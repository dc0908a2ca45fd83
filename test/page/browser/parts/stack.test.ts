import { describe, expect, it } from 'vitest';
import { withoutHead } from '../../../../src/page/browser/parts/stack.ts';

describe('a stack', () => {
  it('does not repeat the message, of however many lines', () => {
    const error = {
      name: 'Error',
      message: 'one\ntwo',
      stack: 'Error: one\ntwo\n    at a (b.js:1:2)\n    at c',
    };
    expect(withoutHead(error)).toBe('at a (b.js:1:2)\nat c');
  });

  it('is whole where it begins with something else', () => {
    expect(withoutHead({ name: 'E', message: 'm', stack: 'Other: x\n    at a' })).toBe('Other: x\nat a');
    expect(withoutHead({ name: 'E', message: 'm' })).toBe('');
  });
});
