import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isStowageError } from '../../src/errors.ts';
import { compareNames } from '../../src/storage/name-order.ts';
import {
  decodeSegment,
  encodeObjectName,
  encodeSegment,
  validateLogName,
  validateObjectName,
  validatePrefix,
  validateUserName,
} from '../../src/storage/names.ts';
import { test } from '../property.ts';

const wellFormed = fc.string({ unit: 'binary', minLength: 1 });
/** Text of what is awkward in file names, so that collisions are likely. */
const awkward = fc
  .array(
    fc.constantFrom(
      'a',
      'A',
      '%',
      '.',
      ' ',
      '3',
      '1',
      'c',
      'o',
      'n',
      'N',
      'u',
      'x',
      ':',
      '~',
      '\\',
      'é',
      'É',
      '\0',
      '¹',
    ),
    {
      minLength: 1,
      maxLength: 7,
    },
  )
  .map((parts) => parts.join(''));
const segment = fc.oneof(wellFormed, awkward);
const encoding = fc.constantFrom('exact' as const, 'fold' as const);

function codeOf(call: () => unknown): string {
  try {
    call();
    return 'ok';
  } catch (error) {
    return isStowageError(error) ? error.code : String(error);
  }
}

describe('a name with separators', () => {
  const shownIn = (name: string): string | undefined => {
    try {
      validateUserName(name, 'artifact name');
    } catch (error) {
      return /as in (".*?[^\\]"), or encodeURIComponent/.exec((error as Error).message)?.[1];
    }
    return undefined;
  };

  it.each([
    ['plots/roc.svg', 'plots:roc.svg'],
    ['/data/a b.csv', 'data:a b.csv'],
    ['C:\\data\\x', 'C::data:x'],
    ['a//b/', 'a:b'],
  ])('is refused with one that can be used as it stands: %s', (name, usable) => {
    expect(JSON.parse(shownIn(name) ?? 'null')).toBe(usable);
  });

  test.prop([fc.array(segment, { minLength: 2, maxLength: 4 }).map((parts) => parts.join('/'))])(
    'is refused with a name only where that is one',
    (name) => {
      const usable = shownIn(name);
      if (usable === undefined) return;
      expect(codeOf(() => validateUserName(JSON.parse(usable), 'artifact name'))).toBe('ok');
    },
  );
});

describe('encodeSegment', () => {
  test.prop([segment, encoding])('comes back by decodeSegment', (text, how) => {
    expect(decodeSegment(encodeSegment(text, how), how)).toBe(text);
  });

  test.prop([awkward, awkward, encoding], { numRuns: 2000 })('is injective', (a, b, how) => {
    expect(encodeSegment(a, how) === encodeSegment(b, how)).toBe(a === b);
  });

  test.prop([awkward, awkward], { numRuns: 2000 })(
    'is injective with fold even where case is merged',
    (a, b) => {
      const merged = (text: string) => encodeSegment(text, 'fold').toLowerCase();
      expect(merged(a) === merged(b)).toBe(a === b);
    },
  );

  test.prop([segment, encoding])('gives names that every file system holds', (text, how) => {
    const name = encodeSegment(text, how);
    expect(name).not.toMatch(/[<>:"|?*~/\\]|\p{Cc}|^[. ]|[. ]$/u);
    expect(name).not.toMatch(/^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]) *(\.|$)/i);
    if (how === 'fold') expect(name.replace(/%[0-9A-F]{2}/g, '')).not.toMatch(/[A-Z]|\P{ASCII}/u);
  });

  test.prop([segment, encoding])('never decodes what it does not give', (fileName, how) => {
    const decoded = decodeSegment(fileName, how);
    if (decoded !== undefined) expect(encodeSegment(decoded, how)).toBe(fileName);
  });

  it.each([
    ['plain-name_1.json', 'plain-name_1.json', 'plain-name_1.json'],
    ['0.DONE', '0.DONE', '0.%44%4F%4E%45'],
    ['2026-01-31T12:34', '2026-01-31T12%3A34', '2026-01-31%5412%3A34'],
    ['nul.txt', '%6Eul.txt', '%6Eul.txt'],
    ['COM1', '%43OM1', '%43%4F%4D1'],
    ['.nfs01', '%2Enfs01', '%2Enfs01'],
    ['a.', 'a%2E', 'a%2E'],
    ['50%', '50%25', '50%25'],
    ['é', 'é', '%C3%A9'],
  ])('%s', (text, exact, fold) => {
    expect(encodeSegment(text, 'exact')).toBe(exact);
    expect(encodeSegment(text, 'fold')).toBe(fold);
  });

  it('leaves separators alone in whole names', () => {
    expect(encodeObjectName('flows/a:b/aux', 'exact')).toBe('flows/a%3Ab/%61ux');
  });
});

describe('validateUserName', () => {
  test.prop([wellFormed])('accepts what the rule says, and only that', (name) => {
    const isValid =
      name !== '.' &&
      name !== '..' &&
      !/[/\\\ufffe\uffff]|\p{Cc}/u.test(name) &&
      name.normalize('NFC') === name &&
      Buffer.byteLength(name) <= 128 &&
      encodeSegment(name, 'fold').length <= 240;
    expect(codeOf(() => validateUserName(name, 'task'))).toBe(isValid ? 'ok' : 'INVALID_NAME');
  });

  it.each([
    '2026-01-31T12:34:56.789Z',
    'Train',
    'aux',
    'a.',
    ' a',
    '...',
    '漢字',
    'x'.repeat(128),
    'X'.repeat(80),
    '😀'.repeat(20),
  ])('accepts %s', (name) => {
    expect(validateUserName(name, 'run')).toBe(name);
  });

  it.each([
    ['', 'empty'],
    ['.', 'folders'],
    ['..', 'folders'],
    ['a/b', '"/"'],
    ['a\\b', '"\\"'],
    ['a\nb', 'U+000A'],
    ['a\x7f', 'U+007F'],
    ['a\u0085', 'U+0085'],
    ['a\ufffe', 'U+FFFE'],
    ['\uffff', 'U+FFFF'],
    ['a\ud83d', 'surrogate'],
    ['e\u0301', 'NFC'],
    ['x'.repeat(129), '129 bytes'],
    ['X'.repeat(81), '243 bytes'],
    ['é'.repeat(41), '246 bytes'],
    [undefined, 'undefined'],
    [null, 'null'],
    [7, 'number'],
    [['a'], 'array'],
  ])('refuses %j and says why', (name, why) => {
    let error: unknown;
    try {
      validateUserName(name, 'artifact');
    } catch (thrown) {
      error = thrown;
    }
    expect(isStowageError(error, 'INVALID_NAME')).toBe(true);
    expect((error as Error).message).toContain(why);
    expect((error as Error).message).toContain('artifact');
  });

  it('shows long names cut off', () => {
    const name = '😀'.repeat(1000);
    expect(() => validateUserName(name, 'step')).toThrow(/^.{0,400}$/su);
  });
});

describe('validateLogName', () => {
  it.each(['task', 'stdout', 'A-b_9', 'x'.repeat(32)])('accepts %s', (name) => {
    expect(validateLogName(name, 'source')).toBe(name);
  });

  it.each(['', 'a.b', 'a b', 'é', 'x'.repeat(33), 'a\n', undefined, 7])('refuses %j', (name) => {
    expect(codeOf(() => validateLogName(name, 'source'))).toBe('INVALID_NAME');
  });
});

describe('validateObjectName', () => {
  const part = fc.constantFrom(
    'a',
    'B',
    '.',
    '..',
    '',
    'tmp',
    'x'.repeat(86),
    'é',
    'e\u0301',
    'a\\b',
    'aux',
    '\0',
    'X'.repeat(86),
  );
  test.prop([fc.array(part, { minLength: 1, maxLength: 14 })], { numRuns: 1000 })(
    'follows the rule',
    (parts) => {
      const name = parts.join('/');
      const isValid =
        Buffer.byteLength(name) <= 1024 &&
        parts[0] !== 'tmp' &&
        parts.every(
          (one) =>
            !['', '.', '..', 'e\u0301', 'a\\b', '\0'].includes(one) &&
            encodeSegment(one, 'fold').length <= 255,
        );
      expect(codeOf(() => validateObjectName(name))).toBe(isValid ? 'ok' : 'INVALID_ARGUMENT');
    },
  );

  test.prop([
    fc.array(
      segment.filter((one) => codeOf(() => validateUserName(one, 'x')) === 'ok'),
      { minLength: 1, maxLength: 4 },
    ),
  ])('every beginning of a valid name is a valid prefix', (segments) => {
    const characters = [...validateObjectName(`f/${segments.join('/')}`)];
    for (let i = 0; i <= characters.length; i += 1) {
      const prefix = characters.slice(0, i).join('');
      expect(validatePrefix(prefix)).toBe(prefix);
    }
  });
});

describe('compareNames', () => {
  test.prop([wellFormed, wellFormed])('orders as the bytes of UTF-8 do', (a, b) => {
    expect(Math.sign(compareNames(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
  });

  it('puts what lies beyond the basic plane last', () => {
    expect(['😀', '～', '\ud7ff', 'a', ''].sort(compareNames)).toEqual(['', 'a', '\ud7ff', '～', '😀']);
  });
});
