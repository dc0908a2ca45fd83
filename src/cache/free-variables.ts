import { isBuiltin } from 'node:module';
import type { SyntaxTree } from './syntax-tree.ts';

/** Names that a scope declares. */
interface Scope {
  readonly names: Set<string>;
  readonly outer: Scope | undefined;
}

type Visit = (node: SyntaxTree, scope: Scope | undefined) => void;

/** Names that TypeScript, Vite, webpack, esbuild and Babel give a module when they make its imports members: `x_1.y` was `y`. */
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

  /** A key that stands for itself is no variable. */
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

/** Names that statements declare for the block that they stand in: `let`, `const`, `using`, classes and functions. */
function lexicalNames(statements: unknown): string[] {
  return (statements as unknown[]).flatMap((statement) => {
    if (!isNode(statement)) return [];
    const { type } = statement;
    if (type === 'ClassDeclaration' || type === 'FunctionDeclaration') return namesOf(statement.id);
    return type === 'VariableDeclaration' && statement.kind !== 'var' ? declaredNames(statement) : [];
  });
}

/** Names that `var` declares for the whole function, however deep in its blocks. */
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

/** Globals of the language and of Node.js up to 26, and what CommonJS gives each module: none of them is part of a task's own code. */
const BUILT_IN_GLOBALS: ReadonlySet<string> = new Set(
  `
    AbortController AbortSignal AggregateError Array ArrayBuffer AsyncDisposableStack Atomics BigInt BigInt64Array
    BigUint64Array Blob Boolean BroadcastChannel Buffer ByteLengthQueuingStrategy CloseEvent CompressionStream
    CountQueuingStrategy Crypto CryptoKey CustomEvent DOMException DataView Date DecompressionStream
    DisposableStack Error ErrorEvent EvalError Event EventSource EventTarget File FinalizationRegistry
    Float16Array Float32Array Float64Array FormData Function Headers Infinity Int16Array Int32Array Int8Array Intl
    Iterator JSON Map Math MessageChannel MessageEvent MessagePort NaN Navigator Number Object Performance
    PerformanceEntry PerformanceMark PerformanceMeasure PerformanceObserver PerformanceObserverEntryList
    PerformanceResourceTiming Promise Proxy RangeError ReadableByteStreamController ReadableStream
    ReadableStreamBYOBReader ReadableStreamBYOBRequest ReadableStreamDefaultController ReadableStreamDefaultReader
    ReferenceError Reflect RegExp Request Response Set SharedArrayBuffer Storage String SubtleCrypto
    SuppressedError Symbol SyntaxError Temporal TextDecoder TextDecoderStream TextEncoder TextEncoderStream
    TransformStream TransformStreamDefaultController TypeError URIError URL URLPattern URLSearchParams Uint16Array
    Uint32Array Uint8Array Uint8ClampedArray WeakMap WeakRef WeakSet WebAssembly WebSocket WritableStream
    WritableStreamDefaultController WritableStreamDefaultWriter __dirname __filename atob btoa clearImmediate
    clearInterval clearTimeout console crypto decodeURI decodeURIComponent encodeURI encodeURIComponent escape
    eval fetch global globalThis isFinite isNaN navigator parseFloat parseInt performance process queueMicrotask
    setImmediate setInterval setTimeout structuredClone undefined unescape
  `
    .trim()
    .split(/\s+/),
);

/** Names that compilers and bundlers put into code (TypeScript, esbuild and so tsx, Vite): their own, and the same for all code. */
const COMPILER_HELPERS: ReadonlySet<string> = new Set(
  `
    __addDisposableResource __assign __async __asyncDelegator __asyncGenerator __asyncValues __await __awaiter
    __callDispose __classPrivateFieldGet __classPrivateFieldIn __classPrivateFieldSet __createBinding __decorate
    __decorateClass __decorateElement __decoratorMetadata __decoratorStart __disposeResources __esDecorate
    __extends __forAwait __generator __importDefault __importStar __makeTemplateObject __metadata __name
    __objRest __param __pow __privateAdd __privateGet __privateIn __privateMethod __privateSet __privateWrapper
    __propKey __publicField __read __rest __restKey __runInitializers __setFunctionName __spread __spreadArray
    __spreadArrays __spreadProps __spreadValues __template __toESM __toPropertyKey __typeError __using __values
    __vite_ssr_import_meta__ __yieldStar
  `
    .trim()
    .split(/\s+/),
);
