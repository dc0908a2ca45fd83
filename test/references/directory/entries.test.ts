import { describe, expect, it } from 'vitest';
import { digestHex } from '../../../src/digest/blake3.ts';
import { decodeListing, encodeListing, pathProblem } from '../../../src/references/directory/entries.ts';

const key = digestHex(Buffer.from('x'));

function listing(rows: unknown[], packs: unknown[] = [key], more: object = {}): Uint8Array {
  return Buffer.from(JSON.stringify({ format: 1, kind: 'directory', packs, entries: rows, ...more }));
}

describe('a listing', () => {
  it('is read as it was written', () => {
    const entries = [
      { path: 'a', size: 0, key, executable: true },
      { path: 'b/c', size: 5, key, executable: false, pack: 0, offset: 7 },
    ];
    const bytes = encodeListing({ entries, packs: [key] });
    expect(decodeListing(bytes, 'it')).toEqual({ entries, packs: [key] });
  });

  it.each<[string, Uint8Array]>([
    ['no JSON', Buffer.from('{')],
    ['null', Buffer.from('null')],
    ['another kind', listing([], [], { kind: 'file' })],
    ['packs that are none', listing([], ['x'])],
    ['entries that are none', listing([5])],
    ...[
      '../../x',
      '/etc/passwd',
      'a/../../x',
      'C:/x',
      'c:x',
      'a\\b',
      'a\0b',
      '',
      'a//b',
      'a/',
      './a',
      'a\nb',
      'a\ud800',
      'x'.repeat(256),
      `${'x/'.repeat(2_100)}x`,
    ].map((path): [string, Uint8Array] => [
      `the path ${JSON.stringify(path).slice(0, 20)}`,
      listing([[path, 0, key, 0]]),
    ]),
    [
      'paths that do not ascend',
      listing([
        ['b', 0, key, 0],
        ['a', 0, key, 0],
      ]),
    ],
    [
      'a path twice',
      listing([
        ['a', 0, key, 0],
        ['a', 0, key, 0],
      ]),
    ],
    [
      'a file that is a folder',
      listing([
        ['a', 0, key, 0],
        ['a.b', 0, key, 0],
        ['a/b', 0, key, 0],
      ]),
    ],
    ['a key that is none', listing([['a', 0, 'x', 0]])],
    ['a negative length', listing([['a', -1, key, 0]])],
    ['a mode that is none', listing([['a', 1, key, 2]])],
    ['a pack that there is not', listing([['a', 1, key, 0, 1, 0]])],
    ['an offset that is none', listing([['a', 1, key, 0, 0, -1]])],
    ['a large file in a pack', listing([['a', 1_000_000, key, 0, 0, 0]])],
  ])('with %s is refused', (_what, bytes) => {
    expect(() => decodeListing(bytes, 'it')).toThrow(expect.objectContaining({ code: 'CONTENT_DAMAGED' }));
  });

  it('of a newer release says so', () => {
    expect(() => decodeListing(listing([], [], { format: 2 }), 'it')).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_FORMAT' }),
    );
  });
});

it('takes paths that people have', () => {
  for (const path of [
    'a',
    'a b/c-d_e.f',
    '2026-01-01T00:00:00',
    '...',
    '.git/HEAD',
    'é/ﬀ',
    '🙂',
    'ab:c',
    'con',
  ])
    expect(pathProblem(path), path).toBeUndefined();
});
