import { readSync } from 'node:fs';

const READ_BYTES = 64 * 1024;
const LINE_END = 0x0a;

/** The lines of an open file, each of which has its end, from the beginning on; only a piece of it is in memory. */
export function* linesOf(fd: number): Generator<string, void> {
  const piece = Buffer.alloc(READ_BYTES);
  let begun: Buffer[] = [];
  for (let offset = 0; ; ) {
    const length = readSync(fd, piece, 0, piece.length, offset);
    if (length === 0) return;
    offset += length;
    let from = 0;
    for (let at = piece.indexOf(LINE_END); at !== -1 && at < length; at = piece.indexOf(LINE_END, from)) {
      yield Buffer.concat([...begun, piece.subarray(from, at)]).toString();
      begun = [];
      from = at + 1;
    }
    if (from < length) begun.push(Buffer.from(piece.subarray(from, length)));
  }
}
