import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressText } from '../../src/storage/address-text.ts';
import { propertyRuns, test } from '../property.ts';

const segment = fc.stringMatching(/^[a-z0-9 äß語%#+&=@~^{}|"<>`'!$()*,;[\]]{1,12}$/u);

describe('a URL object', () => {
  test.prop(
    [
      fc.constantFrom('s3', 's3a', 's3n', 'az', 'azure', 'abfs', 'abfss', 'gs', 'gcs'),
      fc.array(segment, { maxLength: 3 }),
      fc.constantFrom('', '?endpoint=http%3A%2F%2Flocalhost%3A9000&region=x'),
    ],
    { numRuns: propertyRuns },
  )('of a bucket is the text that it encodes', (scheme, segments, query) => {
    const path = segments.map((text) => `/${text}`).join('');
    const encoded = segments.map((text) => `/${encodeURIComponent(text)}`).join('');
    const url = new URL(`${scheme}://bucket${encoded}${query}`);
    expect(addressText(url)).toBe(`${scheme}://bucket${path}${query}`);
  });

  it('made of a text means what the text does, letters and blanks that it encodes included', () => {
    const same = [
      's3://Bucket/My Data/ü',
      'gs://bucket',
      'gs://b/a#c',
      'abfss://c@acct.dfs.core.windows.net/p q/x',
    ];
    for (const text of same) expect(addressText(new URL(text))).toBe(text);
  });

  it('of another scheme is taken as it is', () => {
    for (const text of ['file:///a%20b', 'memory:a%20b', 'my-fs://A/b%20c?d']) {
      expect(addressText(new URL(text))).toBe(text);
    }
  });

  it.each(['s3://bucket/100%', 'gs://bucket/a%3Fb'])('%s is refused, and what to do is said', (text) => {
    expect(() => addressText(new URL(text))).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('as text') }),
    );
  });

  it('a text stays as it is', () => {
    for (const text of ['s3://bucket/a%20b', '', './a%20b']) expect(addressText(text)).toBe(text);
  });
});
