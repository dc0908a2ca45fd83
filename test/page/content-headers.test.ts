import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contentHeaders } from '../../src/page/content-headers.ts';
import { test } from '../property.ts';

const anyName = fc.string({
  unit: fc.oneof(
    fc.constantFrom('"', '\\', '/', '\r', '\n', ';', "'", '%', '.', '\u2028', '\u202e', '\ud800', '漢'),
    fc.string(),
  ),
});

describe('the headers of a content', () => {
  test.prop([anyName])('hold any name, which ends no header and names no folder', (name) => {
    const header = contentHeaders({ name, type: undefined, download: false })[
      'content-disposition'
    ] as string;
    const [, ascii = '', encoded = ''] =
      /^attachment; filename="([\w. ()-]+)"; filename\*=UTF-8''([\w.~!*%-]+)$/.exec(header) ?? [];
    expect(ascii, header).not.toBe('');
    const told = decodeURIComponent(encoded);
    expect(told).not.toMatch(/[/\\\p{C}\u2028\u2029]|^\./u);
    expect(ascii.startsWith('.')).toBe(false);
  });

  it('keep a usual name', () => {
    const header = (name: string): string | undefined =>
      contentHeaders({ name, type: 'image/png', download: true })['content-disposition'];
    expect(header('a b.png')).toBe(`attachment; filename="a b.png"; filename*=UTF-8''a%20b.png`);
    expect(header('Möbel (1).csv')).toBe(
      `attachment; filename="M_bel (1).csv"; filename*=UTF-8''M%C3%B6bel%20%281%29.csv`,
    );
    expect(header('..')).toBe(`attachment; filename="_"; filename*=UTF-8''_`);
    expect(header('')).toBe(`attachment; filename="content"; filename*=UTF-8''content`);
  });

  it('let a shown content run nothing, and have one of no known type saved', () => {
    const svg = contentHeaders({ name: 'a.svg', type: 'image/svg+xml', download: false });
    expect(svg['content-security-policy']).toMatch(
      /^sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:/,
    );
    expect(svg['content-disposition']).toBe('inline');
    const other = contentHeaders({ name: 'a.html', type: undefined, download: false });
    expect(other['content-type']).toBe('application/octet-stream');
    expect(other['content-disposition']).toMatch(/^attachment/);
    expect(contentHeaders({ name: 'a', type: 'text/plain', download: false })['content-type']).toBe(
      'text/plain; charset=utf-8',
    );
  });
});
