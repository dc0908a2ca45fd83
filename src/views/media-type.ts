/** So many first bytes tell what a file is. */
export const SNIFFED_BYTES = 4096;

/** First bytes, from an offset on, by what they mean. Texts are Latin-1. */
const MAGIC: readonly (readonly [offset: number, bytes: string, mediaType: string])[] = [
  [0, '\x89PNG\r\n\x1a\n', 'image/png'],
  [0, '\xff\xd8\xff', 'image/jpeg'],
  [0, 'GIF87a', 'image/gif'],
  [0, 'GIF89a', 'image/gif'],
  [0, 'ID3', 'audio/mpeg'],
  [0, 'fLaC', 'audio/flac'],
  [0, 'OggS', 'audio/ogg'],
  [0, '%PDF-', 'application/pdf'],
  [0, 'PAR1', 'application/vnd.apache.parquet'],
  [0, 'ARROW1\0\0', 'application/vnd.apache.arrow.file'],
  [0, 'PK\x03\x04', 'application/zip'],
  [0, '\x1f\x8b', 'application/gzip'],
  [0, '\x28\xb5\x2f\xfd', 'application/zstd'],
];
const RIFF: Readonly<Record<string, string>> = { WEBP: 'image/webp', WAVE: 'audio/wav' };
/** Major brands of ISO base media files; others are films. */
const BRANDS: Readonly<Record<string, string>> = {
  'M4A ': 'audio/mp4',
  'M4B ': 'audio/mp4',
  avif: 'image/avif',
  'qt  ': 'video/quicktime',
};
/** Frames of MPEG layer 3 begin with eleven bits, and few enough others do that the name has to say so as well. */
const MP3_FRAME = /^\xff[\xe2\xe3\xf2\xf3\xfa\xfb]/;
const SVG = /^\s*(?:<\?xml[^>]*>\s*)?(?:<!--[\s\S]*?-->\s*|<!DOCTYPE[^>[]*(?:\[[^\]]*\])?>\s*)*<svg[\s>/]/i;

/** Of what is text, by the end of its name. */
const TEXTS: Readonly<Record<string, string>> = {
  md: 'text/markdown',
  markdown: 'text/markdown',
  json: 'application/json',
  csv: 'text/csv',
  tsv: 'text/tab-separated-values',
  html: 'text/html',
  htm: 'text/html',
  xml: 'application/xml',
  yaml: 'application/yaml',
  yml: 'application/yaml',
};

/**
 * The media type of a file, by its first bytes. The name, and the media type that somebody gave it, tell kinds of text apart, and nothing else: a
 * page is never told that text is an image, nor that bytes are a page.
 *
 * @param head - its first {@link SNIFFED_BYTES} bytes, all of it where it has fewer
 */
export function mediaTypeOf(head: Uint8Array, name: string, given?: string): string {
  const text = Buffer.from(head.buffer, head.byteOffset, head.length).toString('latin1');
  const magic = MAGIC.find(([offset, bytes]) => text.startsWith(bytes, offset));
  if (magic) return magic[2] === 'audio/ogg' && text.includes('\x80theora') ? 'video/ogg' : magic[2];
  if (text.startsWith('RIFF')) return RIFF[text.slice(8, 12)] ?? 'application/octet-stream';
  if (text.startsWith('ftyp', 4)) return BRANDS[text.slice(8, 12)] ?? 'video/mp4';
  if (text.startsWith('\x1a\x45\xdf\xa3'))
    return text.slice(0, 128).includes('webm') ? 'video/webm' : 'video/x-matroska';
  const ending = /\.([^.]+)$/.exec(name)?.[1]?.toLowerCase() ?? '';
  if (MP3_FRAME.test(text) && ending === 'mp3') return 'audio/mpeg';
  const read = textOf(head);
  if (read === undefined) return 'application/octet-stream';
  if (SVG.test(read)) return 'image/svg+xml';
  if (given === 'text/markdown') return given;
  return TEXTS[ending] ?? 'text/plain';
}

/** The text that bytes are, as UTF-8, but for a character that they end in; `undefined` of what is none. */
function textOf(head: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what tells bytes from text
    return /[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(text) ? undefined : text;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return undefined;
  }
}

/** What a browser shows and what runs nothing by itself, an SVG without a policy that lets it aside. */
const SHOWN =
  /^(?:image\/(?:png|jpeg|gif|webp|avif|svg\+xml)|audio\/(?:mpeg|mp4|ogg|wav|flac)|video\/(?:mp4|webm|ogg|quicktime))$/;
const TEXT_TO_SHOW = /^(?:text\/(?!html$)[a-z-]+|application\/(?:json|yaml))$/;

/**
 * The media type by which a browser may show a file: that of an image, audio or video, or plain text; by its first bytes and its name, as
 * {@link mediaTypeOf}. `undefined` for everything else, HTML among it.
 */
export function shownMediaType(head: Uint8Array, name: string): string | undefined {
  const type = mediaTypeOf(head, name);
  if (SHOWN.test(type)) return type;
  return TEXT_TO_SHOW.test(type) ? 'text/plain' : undefined;
}
