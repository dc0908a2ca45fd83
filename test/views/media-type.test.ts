import { describe, expect, it } from 'vitest';
import { shownMediaType } from '../../src/views/media-type.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');

describe('the media type by which a content is shown', () => {
  it.each([
    ['plot.PNG', 'image/png'],
    ['a.b.svg', 'image/svg+xml'],
    ['x.webm', 'video/webm'],
    ['x.txt', 'text/plain'],
    ['x.html', undefined],
    ['x.xhtml', undefined],
    ['x.pdf', undefined],
    ['png', undefined],
    ['x.constructor', undefined],
  ])('is told by the ending of a name: %s', (name, type) => expect(shownMediaType({ name })).toBe(type));

  it.each([
    ['image/PNG; a=b', 'image/png'],
    ['audio/x-anything', 'audio/x-anything'],
    ['audio/x\r\nset-cookie: a', undefined],
    ['text/html', undefined],
    ['image/svg+xml', 'image/svg+xml'],
    ['text/xml', undefined],
    ['application/javascript', undefined],
  ])('is what its owner says, if that is safe: %s', (mediaType, type) =>
    expect(shownMediaType({ name: 'x.png', mediaType, head: bytes('\x89PNG\r\n\x1a\n') })).toBe(type),
  );

  it.each([
    ['\x89PNG\r\n\x1a\nrest', 'image/png'],
    ['\xff\xd8\xff\xe0', 'image/jpeg'],
    ['RIFF1234WEBPVP8 ', 'image/webp'],
    ['RIFF1234WAVEfmt ', 'audio/wav'],
    ['1234ftypavif', 'image/avif'],
    ['RIFF', undefined],
    ['<svg xmlns="http', undefined],
    ['<!doctype html>', undefined],
    ['', undefined],
  ])('is told by the first bytes of what has no ending: %j', (head, type) => {
    expect(shownMediaType({ name: 'plot', head: bytes(head) })).toBe(type);
    expect(shownMediaType({ name: 'plot.html', head: bytes(head) })).toBeUndefined();
  });
});
