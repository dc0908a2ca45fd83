import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coloured, plain } from '../../src/cli/ui/paint.ts';
import { parseBytes, parseLimit } from '../../src/cli/ui/sizes.ts';
import { type Column, tableLines } from '../../src/cli/ui/table.ts';
import { TerminalFilter } from '../../src/cli/ui/terminal-filter.ts';
import { displayWidth, printable, shorten } from '../../src/cli/ui/terminal-text.ts';
import { parseSince } from '../../src/cli/ui/times.ts';
import { ValueJson } from '../../src/cli/values/value-json.ts';
import {
  formatAge,
  formatBytes,
  formatCount,
  formatDuration,
  formatPercent,
  formatRatio,
} from '../../src/options/figures.ts';
import { test } from '../property.ts';

/** Control characters, the escape among them, and what turns text around. */
const UNSAFE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;
const anyText = fc.string({
  unit: fc.oneof(
    fc.constantFrom('\x1b', '[', ']', '3', '1', 'm', '\n', '\r', '\t', '\x9b', '\u202e', '漢', 'a'),
    fc.string(),
  ),
});

describe('sizes', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [1_234_567, '1.2 MB'],
    [99_949, '99.9 kB'],
    [999_499, '999 kB'],
    [999_500, '1.0 MB'],
    [5e18, '5000 PB'],
  ])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it('percents and counts', () => {
    expect([formatPercent(1, 3), formatPercent(1, 1e6), formatPercent(3, 3), formatPercent(0, 0)]).toEqual([
      '33.3 %',
      '< 0.1 %',
      '100 %',
      '-',
    ]);
    expect([formatCount(1), formatCount(1000), formatCount(1234567)]).toEqual(['1', '1,000', '1,234,567']);
  });
});

describe('sizes and counts from the command line', () => {
  it.each([
    ['0', 0],
    ['4096', 4096],
    ['4096B', 4096],
    ['64kB', 64_000],
    ['64k', 64_000],
    ['10 MB', 10_000_000],
    ['1.5gb', 1_500_000_000],
    ['2TB', 2e12],
    ['1KiB', 1024],
    ['10MiB', 10_485_760],
  ])('%s', (text, bytes) => expect(parseBytes(text, '--max-bytes')).toBe(bytes));

  it.each(['', 'ten', '-1', '1e3', '10MBs', '1,000', '.5MB', 'MB', '1ib', '9000000PB'])(
    '%j is none',
    (text) => {
      expect(() => parseBytes(text, '--max-bytes')).toThrow(/^--max-bytes is a size such as /);
    },
  );

  test.prop([fc.nat(999_999)])('what is shown is what is read', (bytes) => {
    expect(parseBytes(formatBytes(bytes), 'x')).toBeCloseTo(bytes, -Math.floor(Math.log10(bytes + 1)) + 1);
  });

  it('counts', () => {
    expect([parseLimit('all'), parseLimit('1'), parseLimit('250')]).toEqual([
      Number.POSITIVE_INFINITY,
      1,
      250,
    ]);
    for (const text of ['0', '-1', '1.5', 'ALL', '', '1e3'])
      expect(() => parseLimit(text)).toThrow(/--limit/);
  });

  it('ratios', () => {
    expect([formatRatio(1), formatRatio(3.25), formatRatio(150.2), formatRatio(null)]).toEqual([
      '1.0x',
      '3.3x',
      '150x',
      '-',
    ]);
  });
});

describe('times from the command line', () => {
  const now = Date.parse('2026-02-01T12:00:00Z');
  it.each([
    ['45s', '2026-02-01T11:59:15.000Z'],
    ['30min', '2026-02-01T11:30:00.000Z'],
    ['30m', '2026-02-01T11:30:00.000Z'],
    ['12h', '2026-02-01T00:00:00.000Z'],
    ['1.5 h', '2026-02-01T10:30:00.000Z'],
    ['7d', '2026-01-25T12:00:00.000Z'],
    ['2w', '2026-01-18T12:00:00.000Z'],
    ['2026-01-31', '2026-01-31T00:00:00.000Z'],
    ['2024-02-29', '2024-02-29T00:00:00.000Z'],
    ['2026-01-31T08:00', '2026-01-31T08:00:00.000Z'],
    ['2026-01-31 08:00:30.5', '2026-01-31T08:00:30.500Z'],
    ['2026-01-31T08:00Z', '2026-01-31T08:00:00.000Z'],
    ['2026-01-31T08:00+02:00', '2026-01-31T06:00:00.000Z'],
  ])('%s', (text, iso) => expect(new Date(parseSince(text, '--since', now)).toISOString()).toBe(iso));

  it.each([
    '',
    '7',
    'd',
    '7y',
    '-7d',
    'yesterday',
    '2026-02-30',
    '2026-13-01',
    '2026-1-1',
    '2026-01-31T25:00',
    '31.01.2026',
  ])('%j is none', (text) =>
    expect(() => parseSince(text, '--since', now)).toThrow(/^--since is an age such as 30min/),
  );
});

describe('times', () => {
  it.each([
    [0, '0 ms'],
    [999.6, '1.0 s'],
    [4200, '4.2 s'],
    [59_960, '1 min'],
    [200_000, '3 min 20 s'],
    [3_599_600, '1 h'],
    [7_500_000, '2 h 5 min'],
    [273_600_000, '3 d 4 h'],
  ])('%d ms took %s', (ms, text) => expect(formatDuration(ms)).toBe(text));

  it.each([
    [-5000, 'just now'],
    [42_000, '42 s ago'],
    [3_600_000, '1 h ago'],
    [86_400_000 * 12, '12 d ago'],
    [86_400_000 * 150, '4 mo ago'],
    [86_400_000 * 800, '2 y ago'],
  ])('%d ms is %s', (ms, text) => expect(formatAge(ms)).toBe(text));
});

describe('text for a terminal', () => {
  test.prop([anyText])('printable leaves nothing unsafe', (text) => {
    expect(printable(text)).not.toMatch(UNSAFE);
  });

  test.prop([anyText, fc.nat(40)])('shortened text fits', (text, width) => {
    expect(displayWidth(shorten(printable(text), width))).toBeLessThanOrEqual(width);
  });

  it('counts wide and combining characters', () => {
    expect([displayWidth('abc'), displayWidth('評価'), displayWidth('é'), displayWidth('🚀')]).toEqual([
      3, 4, 1, 2,
    ]);
    expect(shorten('2026-01-31T08:00:00Z', 12)).toBe('2026-01-…00Z');
  });

  test.prop([anyText, fc.array(fc.nat(30), { maxLength: 5 }), fc.boolean()])(
    'the filter lets only colours, tabs and line ends through, however the text is cut',
    (text, cuts, colours) => {
      const bytes = Buffer.from(text);
      const whole = new TerminalFilter({ colours, redraws: colours });
      const expected = whole.push(bytes) + whole.end();
      const pieces = new TerminalFilter({ colours, redraws: colours });
      let at = 0;
      let filtered = '';
      for (const length of cuts) {
        filtered += pieces.push(bytes.subarray(at, at + length));
        at += length;
      }
      filtered += pieces.push(bytes.subarray(Math.min(at, bytes.length))) + pieces.end();
      expect(filtered).toBe(expected);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      const rest = expected.replace(/[\n\t\r]/g, '').replace(/\x1b\[[\d;]*m/g, colours ? '' : '$&');
      expect(rest).not.toMatch(UNSAFE);
    },
  );
});

describe('tables', () => {
  const columns: Column[] = [
    { header: 'NAME', shrinks: true },
    { header: 'SIZE', align: 'right', dropOrder: 1 },
    { header: 'NOTE', dropOrder: 2 },
  ];
  const options = { width: Number.POSITIVE_INFINITY, paint: plain };

  it('aligns, by what is seen', () => {
    const rows = [
      ['評価', '1 B', 'x'],
      [{ text: 'long name', style: 'cyan' as const }, '12 kB', ''],
    ];
    expect(tableLines(columns, rows, options)).toEqual([
      'NAME        SIZE  NOTE',
      '評価         1 B  x',
      'long name  12 kB',
    ]);
    expect(tableLines(columns, rows, { ...options, paint: coloured })[2]).toBe(
      '\x1b[36mlong name\x1b[39m  12 kB',
    );
  });

  it('drops columns before it cuts names, and the least needed first', () => {
    const rows = [['a-name-of-24-characters!', '1 B', 'something']];
    expect(tableLines(columns, rows, { ...options, width: 34 })[1]).toBe('a-name-of-24-characters!   1 B');
    expect(tableLines(columns, rows, { ...options, width: 26 })[1]).toBe('a-name-of-24-characters!');
    expect(tableLines(columns, rows, { ...options, width: 10 })[1]).toBe('a-name…rs!');
  });

  const withReason: Column[] = [
    { header: 'NAME', shrinks: true },
    { header: 'SIZE', align: 'right', dropOrder: 1 },
    { header: 'HOW', shrinks: true, folds: 12 },
  ];
  const whole: Column[] = [...withReason.slice(0, 2), { header: 'WHY', folds: Number.POSITIVE_INFINITY }];

  it('cut a column that stays before it goes, and fold it where too little would be left', () => {
    const rows = [['a-name', '1 B', 'one two three four five']];
    expect(tableLines(withReason, rows, { ...options, width: 32 })).toEqual([
      'NAME    SIZE  HOW',
      'a-name   1 B  one two thre… five',
    ]);
    expect(tableLines(withReason, rows, { ...options, width: 22 })).toEqual([
      'NAME    HOW',
      'a-name  one two t…five',
    ]);
    expect(tableLines(withReason, rows, { ...options, width: 19 })).toEqual([
      'NAME    SIZE',
      '    HOW',
      'a-name   1 B',
      '    one two three',
      '    four five',
    ]);
  });

  it('never cut a text that is to stay whole, nor its lines', () => {
    const rows = [
      ['a-name', '1 B', 'Error: one two three\nfour\x1b'],
      ['b', '2 B', 'short'],
    ];
    expect(tableLines(whole, rows, { ...options, width: 24 })).toEqual([
      'NAME    SIZE  WHY',
      'a-name   1 B',
      '    Error: one two three',
      '    four\\x1b',
      'b        2 B  short',
    ]);
    expect(tableLines(whole, rows, options)[1]).toBe('a-name   1 B  Error: one two three\\nfour\\x1b');
  });

  const anyWords = fc.array(fc.string({ minLength: 1, maxLength: 12, unit: fc.constantFrom(...'abcé漢') }), {
    minLength: 1,
    maxLength: 12,
  });
  test.prop([fc.array(anyWords, { minLength: 1, maxLength: 4 }), fc.integer({ min: 20, max: 60 })])(
    'no character of what stays whole is lost, however narrow the terminal is',
    (texts, width) => {
      const rows = texts.map((words, index) => [`n${index}`, '1 B', words.join(' ')]);
      const lines = tableLines(whole, rows, { ...options, width });
      for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(width);
      expect(lines.join('').replace(/ /g, '')).toContain((texts.at(-1) as string[]).join(''));
    },
  );

  const rowsOf = fc.array(fc.tuple(anyText, anyText, anyText), { minLength: 1, maxLength: 5 });
  test.prop([rowsOf, fc.integer({ min: 8, max: 60 })])('no line is too long, or unsafe', (rows, width) => {
    for (const some of [columns, withReason, whole]) {
      for (const line of tableLines(some, rows, { ...options, width })) {
        expect(displayWidth(line)).toBeLessThanOrEqual(some === whole ? Math.max(width, 24) : width);
        expect(line).not.toMatch(UNSAFE);
      }
    }
  });
});

describe('values as JSON', () => {
  const toJson = (value: unknown): { text: string; exact: boolean } => {
    const json = new ValueJson();
    const text = [...json.pieces(value)].join('');
    return { text, exact: json.isExact };
  };

  test.prop([fc.jsonValue()])('a JSON value comes back exactly', (value) => {
    const { text, exact } = toJson(value);
    expect(JSON.parse(text)).toEqual(value);
    expect(exact).toBe(true);
  });

  it('shows the nearest thing for everything else', () => {
    const cases: [unknown, unknown][] = [
      [undefined, null],
      [10n, '10'],
      [Number.NEGATIVE_INFINITY, '-Infinity'],
      [new Date(0), '1970-01-01T00:00:00.000Z'],
      [new Map([['a', 1]]), [['a', 1]]],
      [new Set([1, 2]), [1, 2]],
      [Float32Array.of(1, 2), [1, 2]],
      [BigInt64Array.of(1n), ['1']],
      [Uint8Array.of(1, 2), 'AQI='],
      [Uint8Array.of(1, 2).buffer, 'AQI='],
      [/a/g, '/a/g'],
      [new URL('http://x/'), 'http://x/'],
      [new Array(2), [null, null]],
    ];
    for (const [value, shown] of cases) {
      const { text, exact } = toJson(value);
      expect(JSON.parse(text)).toEqual(shown);
      expect(exact).toBe(false);
    }
    const error = JSON.parse(toJson(new TypeError('no', { cause: 1 })).text);
    expect(error).toMatchObject({ name: 'TypeError', message: 'no', cause: 1, stack: expect.any(String) });
  });

  it('comes in pieces, however large the value is', () => {
    const pieces = [...new ValueJson().pieces(new Float64Array(100_000))];
    expect(pieces.length).toBeGreaterThan(2);
    expect(JSON.parse(pieces.join(''))).toHaveLength(100_000);
  });
});
