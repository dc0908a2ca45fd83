/** Of an answer to a question, before it is compressed, and of what logs that are followed send at first. What is larger is sent once somebody asks for it. */
export const MAX_ANSWER_BYTES = 1_000_000;

/** The encodings whose bytes are sent as they lie in the store: bytes, text, the elements of a typed array, and Arrow's stream. */
const AS_THEY_LIE: readonly string[] = ['bytes', 'string', 'typed-array', 'arrow'];

/**
 * A value that is written as JSON is in memory whole: by ten to twenty times the bytes that it is stored in, and by eighty where it is a list of
 * empty objects. Larger ones are not served.
 */
export const MAX_DECODED_BYTES: number = 16 * 1024 * 1024;

/** Whether the bytes of an artifact are sent piece by piece, and by ranges, rather than as the JSON of its value. */
export function isSentAsItLies({ encoding }: { encoding: string }): boolean {
  return AS_THEY_LIE.includes(encoding);
}

/** Whether it is served at all. */
export function isServed(artifact: { encoding: string; bytes: number }): boolean {
  return isSentAsItLies(artifact) || artifact.bytes <= MAX_DECODED_BYTES;
}
