/** Media types that a browser shows and that run nothing by themselves, by the endings of names. */
const BY_ENDING: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  avif: 'image/avif',
  svg: 'image/svg+xml',
  mp3: 'audio/mpeg',
  m4a: 'audio/mp4',
  ogg: 'audio/ogg',
  oga: 'audio/ogg',
  opus: 'audio/ogg',
  wav: 'audio/wav',
  flac: 'audio/flac',
  mp4: 'video/mp4',
  webm: 'video/webm',
  txt: 'text/plain',
  log: 'text/plain',
};

const SHOWN = new Set(Object.values(BY_ENDING));
const AUDIO = /^audio\/[a-z0-9][a-z0-9.+-]{0,60}$/;

/** Bytes by which a content tells what it is, each at its place. */
const BY_BYTES: readonly (readonly [
  type: string,
  ...at: readonly (readonly [offset: number, text: string])[],
])[] = [
  ['image/png', [0, '\x89PNG\r\n\x1a\n']],
  ['image/jpeg', [0, '\xff\xd8\xff']],
  ['image/gif', [0, 'GIF87a']],
  ['image/gif', [0, 'GIF89a']],
  ['image/webp', [0, 'RIFF'], [8, 'WEBP']],
  ['image/avif', [4, 'ftypavif']],
  ['audio/wav', [0, 'RIFF'], [8, 'WAVE']],
  ['audio/mpeg', [0, 'ID3']],
  ['audio/ogg', [0, 'OggS']],
  ['audio/flac', [0, 'fLaC']],
  ['audio/mp4', [4, 'ftypM4A']],
  ['video/mp4', [4, 'ftypisom']],
  ['video/mp4', [4, 'ftypmp42']],
  ['video/mp4', [4, 'ftypiso5']],
  ['video/mp4', [4, 'ftypavc1']],
  ['video/webm', [0, '\x1a\x45\xdf\xa3']],
];

/** So many bytes from the beginning tell what a content is. */
export const HEAD_BYTES = 16;

/** What is known of a content. */
export interface TypedContent {
  name: string;
  /** As its owner says. */
  mediaType?: string | undefined;
  /** Its beginning, {@link HEAD_BYTES} of it, or all. */
  head?: Uint8Array | undefined;
}

/**
 * The media type by which a browser may show a content: of images, audio, video and plain text, by what its owner says, its name, or its
 * first bytes. `undefined` for everything else, HTML among it.
 */
export function shownMediaType({ name, mediaType, head }: TypedContent): string | undefined {
  const [said = ''] = (mediaType ?? '').toLowerCase().split(';', 1);
  const told = said.trim();
  // One that says what it is is that, and nothing that its name or its bytes look like.
  if (told !== '') return SHOWN.has(told) || AUDIO.test(told) ? told : undefined;
  const ending = /\.([a-z0-9]{1,5})$/.exec(name.toLowerCase())?.[1];
  if (ending !== undefined && Object.hasOwn(BY_ENDING, ending)) return BY_ENDING[ending];
  return ending === undefined && head ? typeOfBytes(head) : undefined;
}

function typeOfBytes(head: Uint8Array): string | undefined {
  const text = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('latin1');
  return BY_BYTES.find(([, ...at]) => at.every(([offset, part]) => text.startsWith(part, offset)))?.[0];
}
