/** The polynomial of Castagnoli (RFC 3720, appendix B.4), its bits reversed. */
const POLYNOMIAL = 0x82f63b78;
const TABLE_LENGTH = 256;
/** Bytes that one step takes. */
const STEP = 16;

let tables: Int32Array | undefined;

/**
 * The CRC32C of bytes that come in pieces, by which Cloud Storage checks content. Sixteen bytes a step ("slicing",
 * Kounavis and Berry, 2008): the SDK's own takes one, and 20 times as long.
 */
export class Crc32c {
  #state = -1;

  update(bytes: Uint8Array): this {
    tables ??= makeTables();
    this.#state = updated(this.#state, bytes, tables);
    return this;
  }

  /** As Cloud Storage writes it: big-endian, in base64. */
  toString(): string {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(~this.#state);
    return bytes.toString('base64');
  }
}

/** Table `k` tells what a byte does to the state that is `k` bytes before the end of a step. */
function makeTables(): Int32Array {
  const made = new Int32Array(STEP * TABLE_LENGTH);
  for (let byte = 0; byte < TABLE_LENGTH; byte += 1) {
    let state = byte;
    for (let bit = 0; bit < 8; bit += 1) state = state & 1 ? (state >>> 1) ^ POLYNOMIAL : state >>> 1;
    made[byte] = state;
  }
  for (let i = TABLE_LENGTH; i < made.length; i += 1) {
    const before = made[i - TABLE_LENGTH] as number;
    made[i] = (before >>> 8) ^ (made[before & 0xff] as number);
  }
  return made;
}

function updated(before: number, bytes: Uint8Array, table: Int32Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let state = before;
  let i = 0;
  for (const last = bytes.length - STEP; i <= last; i += STEP) {
    state =
      ofWord(table, 12, view.getInt32(i, true) ^ state) ^
      ofWord(table, 8, view.getInt32(i + 4, true)) ^
      ofWord(table, 4, view.getInt32(i + 8, true)) ^
      ofWord(table, 0, view.getInt32(i + 12, true));
  }
  for (; i < bytes.length; i += 1) {
    state = (table[(state ^ (bytes[i] as number)) & 0xff] as number) ^ (state >>> 8);
  }
  return state;
}

/** The effect of four bytes on the state that is `distance` bytes behind them. */
function ofWord(table: Int32Array, distance: number, word: number): number {
  const base = distance * TABLE_LENGTH;
  return (
    (table[base + 3 * TABLE_LENGTH + (word & 0xff)] as number) ^
    (table[base + 2 * TABLE_LENGTH + ((word >>> 8) & 0xff)] as number) ^
    (table[base + TABLE_LENGTH + ((word >>> 16) & 0xff)] as number) ^
    (table[base + (word >>> 24)] as number)
  );
}
