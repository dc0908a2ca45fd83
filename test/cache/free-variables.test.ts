import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { freeVariables } from '../../src/cache/free-variables.ts';
import { functionTree } from '../../src/cache/syntax-tree.ts';
import { propertyRuns, test } from '../property.ts';

const of = async (source: string): Promise<string[]> => freeVariables(await functionTree(source));

const name = fc.constantFrom('a', 'b', 'c', 'd');
const used = (variable: string): string => `(() => { try { return ${variable} } catch {} })()`;

const isLookedFor = (key: string | symbol): boolean => ['a', 'b', 'c', 'd'].includes(String(key));

/** Statements that run from the first to the last, whatever their variables are. */
const { statements } = fc.letrec<{ statement: string; statements: string }>((tie) => ({
  statements: fc.array(tie('statement'), { minLength: 1, maxLength: 3 }).map((lines) => lines.join('\n')),
  statement: fc.oneof(
    { maxDepth: 4 },
    name.map((n) => `${used(n)};`),
    name.map((n) => `try { ${n} = 1 } catch {}`),
    fc.tuple(fc.constantFrom('let', 'const', 'var'), name).map(([kind, n]) => `${kind} ${n} = 1;`),
    fc
      .tuple(fc.constantFrom('let', 'var'), name, name)
      .map(([kind, n, m]) => `${kind} { ${m}: ${n} = ${used(m)}, ...rest } = {};`),
    fc
      .tuple(fc.constantFrom('let', 'var'), name, name)
      .map(([kind, n, m]) => `${kind} [${n} = ${used(m)}] = [];`),
    fc.tuple(name, name).map(([n, m]) => `({ ${n}: 1, [${used(m)}]: 2, ${m}() {} }).${n};`),
    tie('statements').map((body) => `{ ${body} }`),
    fc
      .tuple(name, name, name, tie('statements'))
      .map(([n, p, m, body]) => `(function ${n}(${p} = ${used(m)}) { ${body} })();`),
    fc.tuple(name, tie('statements')).map(([p, body]) => `(({ ${p} }) => { ${body} })({});`),
    fc.tuple(name, tie('statements')).map(([n, body]) => `{ function ${n}() { ${body} } ${n}(); }`),
    fc.tuple(name, tie('statements')).map(([n, body]) => `try { throw 1 } catch (${n}) { ${body} }`),
    fc
      .tuple(fc.constantFrom('let', 'const', 'var'), name, tie('statements'))
      .map(([kind, n, body]) => `for (${kind} ${n} of [1]) { ${body} }`),
    fc
      .tuple(name, name, tie('statements'))
      .map(([n, m, body]) => `${n}: switch (1) { case 1: let ${m} = 1; ${body} break ${n}; }`),
    fc
      .tuple(name, name, tie('statements'))
      .map(
        ([n, m, body]) =>
          `(class ${n} { static ${m} = ${used(m)}; static [${used(n)}] = 1; static { ${body} } });`,
      ),
  ),
}));

describe('free variables', () => {
  test.prop([statements], { numRuns: propertyRuns })(
    'are those that a running function looks for outside of itself',
    async (body) => {
      const source = `function () { 'use strict'; ${body} }`;
      const looked = new Set<string>();
      const has = (_: object, key: string | symbol) => isLookedFor(key) && Boolean(looked.add(String(key)));
      const outside = new Proxy({}, { has, set: () => true });
      let run: ((scope: object) => void) | undefined;
      let free: string[] = [];
      try {
        free = await of(source);
        run = new Function('scope', `with (scope) { (${source})() }`) as (scope: object) => void;
      } catch {} // two declarations of one name
      fc.pre(run !== undefined);
      run?.(outside);
      expect(free.sort()).toEqual([...looked].sort());
    },
  );

  it.each<[string, string, string[]]>([
    ['a constant of the module', '(text) => PROMPT + text', ['PROMPT']],
    ['an argument that is closed over', 'async (x) => x * k', ['k']],
    [
      'the base of a class',
      'class A extends Base { m() { return super.m() + this.x + helper() } }',
      ['Base', 'helper'],
    ],
    ['the tag of a template', '(x) => tag`a`', ['tag']],
    ['what a shorthand stands for', '() => ({ a, b: 1, c: d })', ['a', 'd']],
    ['what is assigned, and counted up', '() => { total += 1; count++ }', ['total', 'count']],
    ['what is asked for its type', '() => typeof cache', ['cache']],
    ['a default of a parameter', '(x, y = limit) => x', ['limit']],
    ['a module that is imported meanwhile', '() => import("./model.js")', ['import("./model.js")']],
    ['one whose name is made', '(name) => import(name)', ['import(...)']],
    ['a module that is required', '() => require("./model.js")', ['require("./model.js")']],
    [
      'the environment',
      '() => [process.env.MODEL, process.env["SEED"], process.env, process.argv]',
      ['process.env.MODEL', 'process.env.SEED', 'process.env'],
    ],
    [
      'a global of the program',
      '() => [globalThis.prompt, global["seed"], globalThis.Math, prompt]',
      ['globalThis.prompt', 'globalThis.seed', 'prompt'],
    ],
    ['the `this` of an arrow function', '(x) => this.weights[x]', ['this']],
    ['its arguments', '() => arguments[0]', ['arguments']],
    ['the `this` of a method', 'run(x) { return this.k * x + super.run(x) }', ['this', 'super']],
    [
      'nothing of the language and the runtime',
      'async (x) => { await fetch(new URL(x)); return Math.max(...Object.keys(JSON.parse(x)), undefined, NaN, Buffer.byteLength(x)) }',
      [],
    ],
    ['no module of the runtime', '() => [import("node:fs"), require("fs")]', []],
    [
      'no names of members, labels and new.target',
      'function f(o) { out: for (;;) { break out } return [o.k, o?.j, { i: 1 }.i, new.target, import.meta] }',
      [],
    ],
    [
      'no private members',
      'class A { #k = 1; get k() { return this.#k } static s = this.k; static { this.t = 1 } }',
      [],
    ],
    [
      'what compilers made of imports, by its own name',
      '() => [(0, judge_1.judge)(), prompts_2.default.text, import_x.y, __vite_ssr_import_0__.z, (0, _q.q)(), _u]',
      ['judge_1.judge', 'prompts_2.default', 'import_x.y', '__vite_ssr_import_0__.z', '_q.q', '_u'],
    ],
    [
      'what they made of modules that are imported meanwhile',
      '() => [__vite_ssr_dynamic_import__("./model.js"), __vite_ssr_dynamic_import__("node:fs")]',
      ['import("./model.js")'],
    ],
    [
      'none of the helpers of compilers',
      '(x) => __awaiter(void 0, void 0, void 0, function* () { return tslib_1.__rest(__name(() => x, "f"), []) })',
      [],
    ],
    ['nothing that is declared, whatever its name', '(a_1) => { const _b = a_1.c; return _b.d }', []],
    ['nothing twice', '() => k + k + (() => k)()', ['k']],
  ])('are %s', async (_, source, names) => {
    expect(await of(source)).toEqual(names);
  });
});
