/**
 * True if `bytes` are one MessagePack value of unsigned integers, strings, binaries, arrays and maps, in which arrays and maps
 * nest at most `maxDepth` deep and hold what they claim to. A decoder allocates what an array claims before it has read
 * any of it, so that a few bytes could otherwise take all memory.
 *
 * https://github.com/msgpack/msgpack/blob/master/spec.md
 */
export function isBoundedMsgpack(bytes: Uint8Array, maxDepth: number): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  /** The items still to come of each open array or map; the outermost holds the value itself. */
  const open = [1];
  while (open.length > 0) {
    const left = open.pop() as number;
    if (left === 0) continue;
    open.push(left - 1);
    const form = at < bytes.length ? formOf(view.getUint8(at)) : undefined;
    if (!form || at + 1 + form.sizeBytes > bytes.length) return false;
    const size = form.size ?? unsigned(view, at + 1, form.sizeBytes);
    at += 1 + form.sizeBytes;
    if (form.items === 0) {
      at += size;
    } else {
      if (open.length > maxDepth || size * form.items > bytes.length - at) return false;
      open.push(size * form.items);
    }
  }
  return at === bytes.length;
}

/** The beginning of a value: its size in bytes, or in items (1 an element, 2 a map's entry), or where that size stands. */
interface Form {
  items: 0 | 1 | 2;
  size?: number;
  sizeBytes: number;
}

function formOf(head: number): Form | undefined {
  if (head < 0x80) return { items: 0, size: 0, sizeBytes: 0 };
  if (head < 0x90) return { items: 2, size: head & 0x0f, sizeBytes: 0 };
  if (head < 0xa0) return { items: 1, size: head & 0x0f, sizeBytes: 0 };
  if (head < 0xc0) return { items: 0, size: head & 0x1f, sizeBytes: 0 };
  if (head >= 0xc4 && head <= 0xc6) return { items: 0, sizeBytes: 1 << (head - 0xc4) };
  if (head >= 0xcc && head <= 0xcf) return { items: 0, size: 1 << (head - 0xcc), sizeBytes: 0 };
  if (head >= 0xd9 && head <= 0xdb) return { items: 0, sizeBytes: 1 << (head - 0xd9) };
  if (head === 0xdc || head === 0xdd) return { items: 1, sizeBytes: head === 0xdc ? 2 : 4 };
  if (head === 0xde || head === 0xdf) return { items: 2, sizeBytes: head === 0xde ? 2 : 4 };
  return undefined;
}

function unsigned(view: DataView, at: number, bytes: number): number {
  if (bytes === 1) return view.getUint8(at);
  return bytes === 2 ? view.getUint16(at) : view.getUint32(at);
}
