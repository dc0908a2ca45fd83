import { digestHex } from '../digest/blake3.ts';
import type { JsonValue } from '../format/json-value.ts';
import { type SourceFunction, sourceOf, sourceText } from './function-source.ts';
import type { KeyListing } from './key-listing.ts';

const LISTED_DIGITS = 16;
const TREE = 'version.run';
const TEXT = 'version.text';

/**
 * By what source a result of a fixed version was made: kept with its key, of which it is no part, as places of the version. The text is
 * compared first, since the parser need not be loaded for that.
 */
export class SourceMarks {
  readonly #fn: SourceFunction;
  #text: string | undefined;

  constructor(fn: SourceFunction) {
    this.#fn = fn;
  }

  /** What to keep of the source; `undefined` where it cannot be seen. */
  async listing(): Promise<KeyListing | undefined> {
    const tree = await this.#tree();
    return tree === undefined ? undefined : { [TREE]: tree, [TEXT]: this.#textDigest() };
  }

  /** Whether the source is another one than that which was kept with a key, comments and layout aside; `false` where it cannot be told. */
  async differFrom(keyDescription: JsonValue): Promise<boolean> {
    const { [TREE]: tree, [TEXT]: text } = memberOf(
      memberOf(keyDescription, 'places'),
      'version',
    ) as KeyListing;
    if (typeof tree !== 'string' || typeof text !== 'string' || text === this.#textDigest()) return false;
    const own = await this.#tree();
    return own !== undefined && own !== tree;
  }

  #textDigest(): string {
    this.#text ??= digestHex(Buffer.from(sourceText(this.#fn))).slice(0, LISTED_DIGITS);
    return this.#text;
  }

  async #tree(): Promise<string | undefined> {
    try {
      return (await sourceOf(this.#fn)).digest.slice(0, LISTED_DIGITS);
    } catch {
      return undefined; // bound, of the runtime, or newer than the parser
    }
  }
}

/** Of JSON of which nothing is certain. */
function memberOf(value: unknown, name: string): object {
  const member: unknown =
    typeof value === 'object' && value !== null && Object.hasOwn(value, name)
      ? (value as Record<string, unknown>)[name]
      : undefined;
  return typeof member === 'object' && member !== null ? member : {};
}
