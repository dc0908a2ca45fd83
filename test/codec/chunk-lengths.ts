import { nextCut } from '../../src/codec/chunker.ts';
import type { Kernel } from '../../src/codec/kernel.ts';

/** The lengths of the chunks that `content` is cut into, by the reference unless `cut` is another. */
export function lengthsOf(content: Uint8Array, cut: Kernel['nextCut'] = nextCut): number[] {
  const lengths: number[] = [];
  for (let start = 0; start < content.length; ) {
    const end = cut(content, start, content.length);
    lengths.push(end - start);
    start = end;
  }
  return lengths;
}
