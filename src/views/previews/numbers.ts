import type { CallOptions } from '../../async/call-options.ts';
import { isTurnOver, nextTurn } from '../../async/turns.ts';
import { StowageError, throwIfAborted } from '../../errors.ts';
import { halfFloatOf } from '../../parquet/stored-values.ts';
import { ELEMENT_TYPES, littleEndian, typedArrayOver } from '../../values/element-types.ts';
import type { ByteSource } from './byte-source.ts';
import { NumbersTally } from './numbers-summary.ts';
import type { NumbersSummary } from './shown.ts';

/** So many elements are added at once. */
const SLICE = 64 * 1024;

/** An array of so many numbers is shown as what it amounts to. */
export const MANY_NUMBERS = 100;

/** `Float64Array` is `float64`. */
function dtypeOf(type: string): string {
  return type
    .replace(/(?:Clamped)?Array$/, '')
    .replace(/^Big/, '')
    .toLowerCase();
}

/**
 * Sums up a typed array by reading its bytes once, piece by piece, in memory that does not grow with it.
 *
 * @param type - the name of its class, as its artifact tells
 * @throws StowageError `UNDECODABLE_ARTIFACT` for bytes that are no such array
 */
export async function summedBytes(
  source: ByteSource,
  type: string,
  options: CallOptions,
): Promise<NumbersSummary> {
  const { elementBytes, numbersOf } = elementsOf(type);
  const { name, size } = source;
  if (size % elementBytes !== 0)
    throw undecodable(name, `${size} bytes are not a whole number of elements of a ${type}`);
  const tally = new NumbersTally(size / elementBytes);
  const sliceBytes = SLICE * elementBytes;
  let rest: Uint8Array = new Uint8Array(0);
  for await (const piece of source.stream(options)) {
    const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    const end = bytes.length - (bytes.length % elementBytes);
    for (let start = 0; start < end; start += sliceBytes) {
      if (isTurnOver()) await nextTurn();
      throwIfAborted(options.signal);
      tally.add(numbersOf(bytes.subarray(start, Math.min(end, start + sliceBytes))));
    }
    rest = bytes.slice(end);
  }
  return tally.summary(dtypeOf(type));
}

/** Sums up an array of numbers. */
export function summedArray(numbers: readonly number[]): NumbersSummary {
  const tally = new NumbersTally(numbers.length);
  tally.add(numbers);
  return tally.summary('number');
}

type Numbers = ArrayLike<number> | ArrayLike<bigint>;

function elementsOf(type: string): { elementBytes: number; numbersOf: (bytes: Uint8Array) => Numbers } {
  const known = ELEMENT_TYPES.find(({ name }) => name === type);
  if (known) {
    const { elementBytes } = known;
    return { elementBytes, numbersOf: (bytes) => typedArrayOver(known, bytes) as Numbers };
  }
  if (type !== 'Float16Array') throw undecodable(type, `this runtime has no typed array called ${type}`);
  return { elementBytes: 2, numbersOf: halfFloats };
}

/** As this runtime has no class for them. */
function halfFloats(bytes: Uint8Array): number[] {
  const native = Uint8Array.from(littleEndian(bytes, 2));
  return Array.from(new Uint16Array(native.buffer), halfFloatOf);
}

function undecodable(name: string, why: string): StowageError {
  return new StowageError('UNDECODABLE_ARTIFACT', `Artifact ${name} cannot be read: ${why}.`, {
    details: { artifact: name },
  });
}
