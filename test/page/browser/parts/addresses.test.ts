import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  artifactHref,
  codeAddress,
  contentAddress,
  reportAddress,
} from '../../../../src/page/browser/parts/addresses.ts';
import { routeOf } from '../../../../src/page/browser/route-address.ts';
import { test } from '../../../property.ts';

const name = fc
  .string({ unit: 'grapheme', minLength: 1 })
  .filter((text) => text.isWellFormed() && !text.includes('/'));

describe('addresses', () => {
  test.prop([fc.array(name, { minLength: 5, maxLength: 5 }), name])(
    'an artifact is found by its own',
    (names, artifact) => {
      const { view, path } = routeOf(artifactHref(names.join('/'), artifact));
      expect(view).toBe('artifact');
      expect(path).toStrictEqual([...names, artifact]);
    },
  );

  test.prop([
    fc.array(name, { minLength: 5, maxLength: 5 }),
    name,
    fc.string().filter((text) => text.isWellFormed()),
  ])('content is asked for by parts that names cannot leave', (names, artifact, entry) => {
    const url = new URL(
      contentAddress(names.join('/'), artifact, { entry, download: true }),
      'http://a.example/t/',
    );
    const parts = url.pathname.split('/').slice(2).map(decodeURIComponent);
    if (![...names, artifact].some((part) => /^\.\.?$/.test(part)))
      expect(parts).toStrictEqual(['content', ...names, artifact]);
    expect(url.searchParams.get('entry')).toBe(entry);
    expect(url.searchParams.has('download')).toBe(true);
    expect(url.host).toBe('a.example');
  });

  it('names a report, plain content and code', () => {
    expect(codeAddress('F/r 1')).toBe('code/F/r%201');
    expect(codeAddress('F/r', 'src/a?.ts')).toBe('code/F/r?entry=src%2Fa%3F.ts');
    expect(reportAddress('F/r/s/0/1', 'loss')).toBe('report/F/r/s/0/1/loss');
    expect(contentAddress('F/r/s/0/1', 'a b')).toBe('content/F/r/s/0/1/a%20b');
  });
});
