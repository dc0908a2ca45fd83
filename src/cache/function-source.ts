import { SerializerRegistry } from '../artifacts/registry.ts';
import { canonicalSource } from './canonical-source.ts';
import { freeVariables } from './free-variables.ts';
import { functionTree } from './function-tree.ts';
import { valueDigest } from './key-encoding.ts';

/** A function of any kind, or a class. */
// biome-ignore lint/complexity/noBannedTypes: classes cannot be called, and have no narrower type in common with functions.
export type SourceFunction = Function;

/** What the source of a function tells. */
export interface FunctionSource {
  /** Of its syntax tree: comments and layout do not count. */
  readonly digest: string;
  /** The names that it uses and does not declare; see `freeVariables`. */
  readonly free: readonly string[];
  /** Whether its `this` is that of where it was written. */
  readonly isArrow: boolean;
}

const registry = new SerializerRegistry();
const pending = new WeakMap<SourceFunction, Promise<FunctionSource>>();
const known = new WeakMap<SourceFunction, FunctionSource>();

/**
 * What the source of a function tells, worked out once.
 *
 * @throws What the parser throws for source that cannot be parsed.
 */
export function sourceOf(fn: SourceFunction): Promise<FunctionSource> {
  let source = pending.get(fn);
  if (source === undefined) {
    source = read(fn);
    pending.set(fn, source);
    source.catch(() => pending.delete(fn));
  }
  return source;
}

/** As {@link sourceOf}, where it is known already. */
export function knownSourceOf(fn: SourceFunction): FunctionSource | undefined {
  return known.get(fn);
}

async function read(fn: SourceFunction): Promise<FunctionSource> {
  const tree = await functionTree(sourceText(fn));
  const source = {
    digest: valueDigest(canonicalSource(tree), { taskName: '', root: 'version' }, registry),
    free: freeVariables(tree),
    isArrow: tree.type === 'ArrowFunctionExpression',
  };
  known.set(fn, source);
  return source;
}

/** The source of a function as the runtime gives it. */
export function sourceText(fn: SourceFunction): string {
  return Function.prototype.toString.call(fn);
}
