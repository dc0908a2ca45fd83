import type { Node, Options } from 'acorn';
import { onUse } from '../async/open-files.ts';

const parser = onUse(() => import('acorn'));

/** A node of a syntax tree (https://github.com/estree/estree). */
export interface SyntaxTree {
  readonly type: string;
  readonly [field: string]: unknown;
}

/**
 * The syntax tree of a function, by its source as `Function.prototype.toString` gives it: an expression, or a method without what is around it.
 *
 * @throws Whatever the parser throws for what is not JavaScript as it knows it.
 */
export async function functionTree(source: string): Promise<SyntaxTree> {
  const { parse } = await parser();
  return parseFunction(source, parse);
}

type Parse = (source: string, options: Options) => Node;

/** Functions are seen outside of what they were written in: what only that allows must not be refused. */
const OPTIONS = {
  ecmaVersion: 'latest',
  allowSuperOutsideMethod: true,
  checkPrivateFields: false,
} as const;

function parseFunction(source: string, parse: Parse): SyntaxTree {
  const forms: readonly [text: string, pick: (program: unknown) => unknown][] = [
    [`(${source}\n)`, (program) => at(program, 'body', 0, 'expression')],
    [`({${source}\n})`, (program) => at(program, 'body', 0, 'expression', 'properties', 0)],
    [`(class {${source}\n})`, (program) => at(program, 'body', 0, 'expression', 'body', 'body', 0)],
  ];
  let fault: unknown;
  for (const [text, pick] of forms) {
    for (const sourceType of ['module', 'script'] as const) {
      try {
        return pick(parse(text, { ...OPTIONS, sourceType })) as SyntaxTree;
      } catch (error) {
        fault ??= error;
      }
    }
  }
  throw fault;
}

function at(tree: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((node, step) => (node as Record<string | number, unknown>)[step], tree);
}

/**
 * The source of a function as what its syntax tree says, without comments, layout, and the way numbers and strings are written: a
 * flat list, in which no two different trees are the same.
 */
export function canonicalSource(tree: SyntaxTree): (string | number)[] {
  const tokens: (string | number)[] = [];
  write(tree, tokens);
  return tokens;
}

type Tree = { readonly [field: string]: unknown };

function write(value: unknown, tokens: (string | number)[]): void {
  if (Array.isArray(value)) {
    tokens.push('[', value.length);
    for (const item of value) write(item, tokens);
  } else if (typeof value === 'object' && value !== null) {
    writeObject(value as Tree, tokens);
  } else {
    tokens.push(typeof value, String(value));
  }
}

function writeObject(tree: Tree, tokens: (string | number)[]): void {
  const isLiteral = tree.type === 'Literal';
  const fields = Object.keys(tree)
    .sort()
    .filter((field) => (isLiteral ? isOfLiteral(tree, field) : isOfNode(tree, field)));
  tokens.push('{', fields.length);
  for (const field of fields) {
    tokens.push(field);
    write(tree[field], tokens);
  }
}

const POSITIONS = ['start', 'end'];

/** Absent members are left out, so that a release of the parser that adds a member for new syntax changes nothing else. */
function isOfNode(tree: Tree, field: string): boolean {
  const value = tree[field];
  if (value === null || value === undefined || value === false) return false;
  return !POSITIONS.includes(field) && !(Array.isArray(value) && value.length === 0);
}

/** Regular expressions and bigints have members that say what they are; their objects depend on the runtime. */
function isOfLiteral(tree: Tree, field: string): boolean {
  if (field === 'raw' || POSITIONS.includes(field)) return false;
  return field !== 'value' || (tree.regex === undefined && tree.bigint === undefined);
}
