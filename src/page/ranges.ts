import type { ByteRange } from '../storage/contract.ts';

const RANGE = /^bytes=(?:(\d{1,15})-(\d{0,15})|-(\d{1,15}))$/i;

/**
 * The part of a content that a `Range` header asks for. `undefined` where all is to be sent: there is no header, or one of several ranges or
 * of another form, which RFC 9110 allows to be ignored; `unsatisfiable` where there are no such bytes.
 */
export function rangeOf(header: string | undefined, size: number): ByteRange | 'unsatisfiable' | undefined {
  const [, first, last, suffix] = RANGE.exec(header?.trim() ?? '') ?? [];
  if (suffix !== undefined) {
    const length = Math.min(Number(suffix), size);
    return length === 0 ? 'unsatisfiable' : { offset: size - length, length };
  }
  if (first === undefined) return undefined;
  const offset = Number(first);
  const end = last === undefined || last === '' ? size - 1 : Number(last);
  if (end < offset && last !== '') return undefined; // no range at all
  if (offset >= size) return 'unsatisfiable';
  return { offset, length: Math.min(end, size - 1) - offset + 1 };
}

/** `bytes 0-99/1000` */
export function contentRange({ offset, length }: ByteRange, size: number): string {
  return `bytes ${offset}-${offset + length - 1}/${size}`;
}
