import { nextCut } from '../../src/codec/chunker.ts';

/** The lengths of the chunks that `content` is cut into. */
export function lengthsOf(content: Uint8Array): number[] {
  const lengths: number[] = [];
  for (let start = 0; start < content.length; ) {
    const cut = nextCut(content, start, content.length);
    lengths.push(cut - start);
    start = cut;
  }
  return lengths;
}
