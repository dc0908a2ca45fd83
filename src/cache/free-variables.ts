import { isBuiltin } from 'node:module';
import { BUILT_IN_GLOBALS, COMPILER_HELPERS } from './built-in-globals.ts';
import type { SyntaxTree } from './function-tree.ts';

/** Names that a scope declares. */
interface Scope {
  readonly names: Set<string>;
  readonly outer: Scope | undefined;
}

type Visit = (node: SyntaxTree, scope: Scope | undefined) => void;

/** How TypeScript, Vite, webpack, esbuild and Babel call a module whose imports they have made members of: `x_1.y` was `y`. */
const COMPILED_MODULE =
  /^(?:\w+_\d+|__vite_ssr_import_\d+__|\w+__WEBPACK_IMPORTED_MODULE_\d+__|import_\w+|_[a-z]\w*)$/;
const VITE_IMPORT = '__vite_ssr_dynamic_import__';

/**
 * The names that the source of a function uses and does not declare, in the order of their first use: what it closes over, imports or
 * finds among the globals, but for the language's, the runtime's and compilers' own. `process.env.X` and `globalThis.x` are such names too, and so
 * are modules that are imported while it runs (`import("./x.js")`), its own `this`, and what a compiler made of an import (`x_1.y`).
 */
export function freeVariables(fn: SyntaxTree): string[] {
  const free = new Set<string>();

  const isDeclared = (name: string, scope: Scope | undefined): boolean => {
    for (let at = scope; at; at = at.outer) if (at.names.has(name)) return true;
    return false;
  };
  const use = (name: string, scope: Scope | undefined): void => {
    if (!isDeclared(name, scope) && !BUILT_IN_GLOBALS.has(name) && !COMPILER_HELPERS.has(name))
      free.add(name);
  };
  const useModule = (source: unknown): void => {
    const module = textOf(source);
    if (module === undefined || !isBuiltin(module)) free.add(`import(${JSON.stringify(module) ?? '...'})`);
  };
  const isGlobal = (node: unknown, names: readonly string[], scope: Scope | undefined): boolean =>
    isNode(node) &&
    node.type === 'Identifier' &&
    names.includes(node.name as string) &&
    !isDeclared(node.name as string, scope);

  const visitAll = (nodes: unknown, scope: Scope | undefined): void => {
    for (const node of Array.isArray(nodes) ? nodes : [nodes]) if (isNode(node)) visit(node, scope);
  };

  const visitFields: Visit = (node, scope) => {
    for (const field of Object.values(node)) visitAll(field, scope);
  };

  /** Where the key stands for itself, it is no variable. */
  const visitMember: Visit = (node, scope) => {
    if (node.computed === true) visitAll(node.key, scope);
    visitAll(node.value, node.type === 'PropertyDefinition' ? within(scope, OWN_THIS) : scope);
  };

  const visitFunction: Visit = (node, outer) => {
    const isArrow = node.type === 'ArrowFunctionExpression';
    const given = outer === undefined ? [] : OWN_THIS; // who calls the function itself gives it its `this`
    const own = isArrow ? [] : [...given, 'arguments', ...namesOf(node.id)];
    const parameters = within(outer, [...own, ...namesOf(node.params)]);
    visitAll(node.params, parameters);
    const body = node.body as SyntaxTree;
    if (body.type !== 'BlockStatement') visit(body, parameters);
    else visitAll(body.body, within(parameters, [...lexicalNames(body.body), ...variableNames(body.body)]));
  };

  const visitors: Readonly<Record<string, Visit>> = {
    Identifier: (node, scope) => use(node.name as string, scope),
    ThisExpression: (_, scope) => use('this', scope),
    Super: (_, scope) => use('super', scope),
    MetaProperty: () => {},
    BreakStatement: () => {},
    ContinueStatement: () => {},
    LabeledStatement: (node, scope) => visitAll(node.body, scope),
    Property: visitMember,
    PropertyDefinition: visitMember,
    MethodDefinition: visitMember,
    MemberExpression: (node, scope) => {
      const [object, property] = [node.object as SyntaxTree, node.property as SyntaxTree];
      const name = memberName(node);
      const isEnvironment = memberName(object) === 'env' && isGlobal(object.object, ['process'], scope);
      if (isEnvironment && name !== undefined) free.add(`process.env.${name}`);
      else if (name === 'env' && isGlobal(object, ['process'], scope)) free.add('process.env');
      else if (isGlobal(object, ['globalThis', 'global'], scope)) {
        if (name === undefined || !BUILT_IN_GLOBALS.has(name)) free.add(`globalThis.${name ?? '*'}`);
      } else if (
        name !== undefined &&
        isCompiledModule(object) &&
        !isDeclared(object.name as string, scope)
      ) {
        if (!COMPILER_HELPERS.has(name)) free.add(`${object.name}.${name}`);
      } else visitAll(object, scope);
      if (node.computed === true) visitAll(property, scope);
    },
    ImportExpression: (node, scope) => {
      useModule(node.source);
      visitFields(node, scope);
    },
    CallExpression: (node, scope) => {
      const [source, ...others] = node.arguments as unknown[];
      const module = textOf(source);
      const isRequire = isGlobal(node.callee, ['require'], scope);
      if (isRequire && module !== undefined) {
        if (!isBuiltin(module)) free.add(`require(${JSON.stringify(module)})`);
      } else if (isGlobal(node.callee, [VITE_IMPORT], scope)) {
        useModule(source);
        visitAll([source, ...others], scope);
      } else visitFields(node, scope);
    },
    FunctionDeclaration: visitFunction,
    FunctionExpression: visitFunction,
    ArrowFunctionExpression: visitFunction,
    ClassDeclaration: (node, scope) => visitFields(node, within(scope, [...namesOf(node.id), 'super'])),
    ClassExpression: (node, scope) => visitFields(node, within(scope, [...namesOf(node.id), 'super'])),
    StaticBlock: (node, scope) => {
      const names = [...OWN_THIS, ...lexicalNames(node.body), ...variableNames(node.body)];
      visitAll(node.body, within(scope, names));
    },
    BlockStatement: (node, scope) => visitAll(node.body, within(scope, lexicalNames(node.body))),
    SwitchStatement: (node, scope) => {
      visitAll(node.discriminant, scope);
      const cases = node.cases as SyntaxTree[];
      visitAll(
        cases,
        within(
          scope,
          cases.flatMap(({ consequent }) => lexicalNames(consequent)),
        ),
      );
    },
    ForStatement: (node, scope) => visitFields(node, within(scope, lexicalNames([node.init]))),
    ForInStatement: (node, scope) => visitFields(node, within(scope, lexicalNames([node.left]))),
    ForOfStatement: (node, scope) => visitFields(node, within(scope, lexicalNames([node.left]))),
    CatchClause: (node, scope) => visitFields(node, within(scope, namesOf(node.param))),
  };

  const visit: Visit = (node, scope) => (visitors[node.type] ?? visitFields)(node, scope);
  visit(fn, undefined);
  return [...free];
}

const OWN_THIS = ['this', 'super'];

function within(outer: Scope | undefined, names: Iterable<string>): Scope {
  return { names: new Set(names), outer };
}

/** The names that patterns bind, those inside their defaults and keys aside. */
function namesOf(pattern: unknown): string[] {
  if (Array.isArray(pattern)) return pattern.flatMap(namesOf);
  if (!isNode(pattern)) return [];
  switch (pattern.type) {
    case 'Identifier':
      return [pattern.name as string];
    case 'ObjectPattern':
      return namesOf(pattern.properties);
    case 'Property':
      return namesOf(pattern.value);
    case 'ArrayPattern':
      return namesOf(pattern.elements);
    case 'AssignmentPattern':
      return namesOf(pattern.left);
    case 'RestElement':
      return namesOf(pattern.argument);
    default:
      return [];
  }
}

/** What statements declare for the block that they stand in: `let`, `const`, `using`, classes and functions. */
function lexicalNames(statements: unknown): string[] {
  return (statements as unknown[]).flatMap((statement) => {
    if (!isNode(statement)) return [];
    const { type } = statement;
    if (type === 'ClassDeclaration' || type === 'FunctionDeclaration') return namesOf(statement.id);
    return type === 'VariableDeclaration' && statement.kind !== 'var' ? declaredNames(statement) : [];
  });
}

/** What `var` declares for the whole function, however deep in its blocks. */
function variableNames(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(variableNames);
  if (!isNode(value) || FUNCTIONS.includes(value.type)) return [];
  const own = value.type === 'VariableDeclaration' && value.kind === 'var' ? declaredNames(value) : [];
  return [...own, ...Object.values(value).flatMap(variableNames)];
}

const FUNCTIONS = [
  'FunctionDeclaration',
  'FunctionExpression',
  'ArrowFunctionExpression',
  'StaticBlock',
  'PropertyDefinition',
];

function declaredNames(declaration: SyntaxTree): string[] {
  return (declaration.declarations as SyntaxTree[]).flatMap(({ id }) => namesOf(id));
}

function isCompiledModule(node: SyntaxTree): boolean {
  return node.type === 'Identifier' && COMPILED_MODULE.test(node.name as string);
}

/** The name of a member, where the source tells it. */
function memberName(node: unknown): string | undefined {
  if (!isNode(node) || node.type !== 'MemberExpression' || !isNode(node.property)) return undefined;
  return node.computed === true ? textOf(node.property) : (node.property.name as string);
}

function textOf(node: unknown): string | undefined {
  return isNode(node) && node.type === 'Literal' && typeof node.value === 'string' ? node.value : undefined;
}

function isNode(value: unknown): value is SyntaxTree {
  return typeof value === 'object' && value !== null && typeof (value as SyntaxTree).type === 'string';
}
