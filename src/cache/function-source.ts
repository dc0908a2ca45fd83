import { BoundedMap } from '../async/bounded-map.ts';
import { onUse } from '../async/open-files.ts';
import { digestHex } from '../digest/blake3.ts';
import type { JsonValue } from '../format/json-value.ts';
import { SerializerRegistry } from '../values/registry.ts';
import { valueDigest } from './key-encoding.ts';
import type { KeyListing } from './key-listing.ts';

/** With the parser: most programs have no functions that are read. */
const sourceParts = onUse(() => import('./source-parts.ts'));

/** A function of any kind, or a class. */
// biome-ignore lint/complexity/noBannedTypes: classes cannot be called, and have no narrower type in common with functions.
export type SourceFunction = Function;

/** The facts that the source of a function tells. */
export interface FunctionSource {
  /** The digest of its syntax tree: comments and layout do not count. */
  readonly digest: string;
  /** The names that it uses and does not declare; see `freeVariables`. */
  readonly free: readonly string[];
  /** True if its `this` is that of the place where it was written. */
  readonly isArrow: boolean;
}

/** So many sources are remembered, whatever functions they are of. */
const MAX_KNOWN = 1000;

const registry = new SerializerRegistry();
const known = new WeakMap<SourceFunction, FunctionSource>();
/** Keyed by the text: a function that is made anew for each request is not parsed for each. */
const sources = new BoundedMap<string, Promise<FunctionSource> | FunctionSource>(MAX_KNOWN);

/**
 * Tells the facts of a function's source, worked out once for each source.
 *
 * @throws What the parser throws for source that cannot be parsed.
 */
export async function sourceOf(fn: SourceFunction): Promise<FunctionSource> {
  const text = sourceText(fn);
  let source = sources.get(text);
  if (source === undefined) {
    source = read(text);
    sources.set(text, source);
  }
  try {
    const told = await source;
    sources.set(text, told);
    known.set(fn, told);
    return told;
  } catch (error) {
    sources.delete(text);
    throw error;
  }
}

/** As {@link sourceOf}, where it is known already. */
export function knownSourceOf(fn: SourceFunction): FunctionSource | undefined {
  const own = known.get(fn);
  if (own !== undefined) return own;
  const source = sources.get(sourceText(fn));
  if (source === undefined || source instanceof Promise) return undefined;
  known.set(fn, source);
  return source;
}

async function read(text: string): Promise<FunctionSource> {
  const { canonicalSource, freeVariables, functionTree } = await sourceParts();
  const tree = await functionTree(text);
  return {
    digest: valueDigest(canonicalSource(tree), { taskName: '', root: 'version' }, registry),
    free: freeVariables(tree),
    isArrow: tree.type === 'ArrowFunctionExpression',
  };
}

/** The source of a function as the runtime gives it. */
export function sourceText(fn: SourceFunction): string {
  return Function.prototype.toString.call(fn);
}

const LISTED_DIGITS = 16;
const TREE = 'version.run';
const TEXT = 'version.text';

/**
 * The source by which a result of a fixed version was made: kept with its key, of which it is no part, as places of the version. The text is
 * compared first, since the parser need not be loaded for that.
 */
export class SourceMarks {
  readonly #fn: SourceFunction;
  #text: string | undefined;
  #listing: Promise<KeyListing | undefined> | undefined;

  constructor(fn: SourceFunction) {
    this.#fn = fn;
  }

  /** The digests to keep of the source; `undefined` if it cannot be seen. */
  listing(): Promise<KeyListing | undefined> {
    this.#listing ??= this.#list();
    return this.#listing;
  }

  async #list(): Promise<KeyListing | undefined> {
    const tree = await this.#tree();
    return tree === undefined ? undefined : { [TREE]: tree, [TEXT]: this.#textDigest() };
  }

  /** True if the source differs from the one kept with a key, comments and layout aside. `false` if that cannot be told. */
  differFrom(keyDescription: JsonValue): boolean | Promise<boolean> {
    const { [TREE]: tree, [TEXT]: text } = memberOf(
      memberOf(keyDescription, 'places'),
      'version',
    ) as KeyListing;
    if (typeof tree !== 'string' || typeof text !== 'string' || text === this.#textDigest()) return false;
    return this.#tree().then((own) => own !== undefined && own !== tree);
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

/** Reads JSON of which nothing is certain. */
function memberOf(value: unknown, name: string): object {
  const member: unknown =
    typeof value === 'object' && value !== null && Object.hasOwn(value, name)
      ? (value as Record<string, unknown>)[name]
      : undefined;
  return typeof member === 'object' && member !== null ? member : {};
}
