import type { Node, Options } from 'acorn';

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
  const { parse } = await import('acorn');
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
