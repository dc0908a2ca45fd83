import { describe, expect, it } from 'vitest';
import { mediaTypeOf, shownMediaType } from '../../src/views/media-type.ts';

const latin = (text: string): Uint8Array => Buffer.from(text, 'latin1');

describe('the media type of a file', () => {
  it.each([
    ['\x89PNG\r\n\x1a\nrest', 'image/png'],
    ['\xff\xd8\xff\xe0', 'image/jpeg'],
    ['GIF89a', 'image/gif'],
    ['RIFF\0\0\0\0WEBPVP8 ', 'image/webp'],
    ['RIFF\0\0\0\0WAVEfmt ', 'audio/wav'],
    ['ID3\x04', 'audio/mpeg'],
    ['fLaC', 'audio/flac'],
    ['OggS\0\x02', 'audio/ogg'],
    ['\0\0\0\x20ftypisom', 'video/mp4'],
    ['\0\0\0\x20ftypM4A ', 'audio/mp4'],
    ['\x1a\x45\xdf\xa3\x01\x42\x82webm', 'video/webm'],
    ['PAR1', 'application/vnd.apache.parquet'],
    ['<?xml version="1.0"?>\n<!-- a --><svg xmlns="x">', 'image/svg+xml'],
    ['text', 'text/plain'],
    ['a\0b', 'application/octet-stream'],
  ])('is told by its first bytes: %j', (head, mediaType) => {
    expect(mediaTypeOf(latin(head), 'file')).toBe(mediaType);
  });

  it('tells kinds of text apart by the name, and calls no text an image', () => {
    expect(mediaTypeOf(latin('# a'), 'notes.md')).toBe('text/markdown');
    expect(mediaTypeOf(latin('{}'), 'a.JSON')).toBe('application/json');
    expect(mediaTypeOf(latin('<script>'), 'a.png', 'image/png')).toBe('text/plain');
    expect(mediaTypeOf(latin('\xff\xfb\x90'), 'a.bin')).toBe('application/octet-stream');
    expect(mediaTypeOf(latin('\xff\xfb\x90'), 'a.mp3')).toBe('audio/mpeg');
  });

  it('takes a character that the head ends in for text', () => {
    expect(mediaTypeOf(Buffer.from('ä').subarray(0, 1), 'a')).toBe('text/plain');
  });
});

describe('the media type by which a browser may show a file', () => {
  it.each([
    ['\x89PNG\r\n\x1a\n', 'x.html', 'image/png'],
    ['<svg xmlns="x">', 'x', 'image/svg+xml'],
    ['a,b', 'x.csv', 'text/plain'],
    ['{}', 'x.json', 'text/plain'],
    ['<!doctype html><script>', 'x.html', undefined],
    ['<script>', 'x.xhtml', 'text/plain'],
    ['<a/>', 'x.xml', undefined],
    ['%PDF-1', 'x.pdf', undefined],
    ['a\0b', 'x.txt', undefined],
  ])('is that of what runs nothing: %j, %s', (head, name, type) => {
    expect(shownMediaType(latin(head), name)).toBe(type);
  });
});
