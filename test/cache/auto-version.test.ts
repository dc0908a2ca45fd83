import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { autoVersion, type CodeOptions } from '../../src/cache/auto-version.ts';
import { cacheKey } from '../../src/cache/cache-key.ts';
import { explainKeys } from '../../src/cache/explain-keys.ts';
import { knownSourceOf, type SourceFunction, sourceOf } from '../../src/cache/function-source.ts';
import { isStowageError, type StowageError } from '../../src/errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'stowage-auto-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A function of exactly this source. */
function made(source: string): SourceFunction {
  return new Function(`return (${source}\n)`)() as SourceFunction;
}

/** A method of exactly this source. */
function method(source: string): SourceFunction {
  const object = new Function(`return ({ ${source} })`)() as Record<string, SourceFunction>;
  return Object.values(object)[0] as SourceFunction;
}

async function digest(run: SourceFunction, others: Partial<CodeOptions> = {}): Promise<string> {
  return (await autoVersion('judge', { run, ...others })).digest;
}

async function refusal(run: unknown, others: Partial<CodeOptions> = {}): Promise<StowageError> {
  const error = await autoVersion('judge', { run: run as SourceFunction, ...others }).catch(
    (e: unknown) => e,
  );
  if (isStowageError(error)) return error;
  throw new Error('it was not refused', { cause: error });
}

describe('a version by source', () => {
  it.each([
    [
      'comments',
      'function f(x) { return x + 1; }',
      '/* a */ function /* b */ f(x) { // c\n return x + 1; /* d */ }',
    ],
    [
      'layout',
      'async (a, b) => { await a; return b; }',
      'async(\n  a,\n  b,\n)=>{\n\tawait a\n\treturn b\n}',
    ],
    ['a comment at the end', '(x) => x', '(x) => x // same'],
    ['quotes', '() => "it"', "() => 'it'"],
    ['how a number is written', '() => 1000', '() => 1_000'],
    ['parentheses that change nothing', '(x) => x * 2 + 1', 'x => ((x * 2) + 1)'],
    ['columns that types were in', '(x, y) => x + y', '(x        , y        )         => x + y'],
  ])('does not know %s', async (_, one, other) => {
    expect(await digest(made(one))).toBe(await digest(made(other)));
  });

  it.each([
    ['a constant', '() => 1', '() => 2'],
    ['a type of constant', '() => 1', '() => "1"'],
    ['null, false and nothing', '() => null', '() => false'],
    ['spaces in a string', '() => "a b"', '() => "a  b"'],
    ['what looks like a comment in a string', '() => "a/* x */"', '() => "a/* y */"'],
    ['what looks like a comment in a template', '() => `// a`', '() => `// b`'],
    ['spaces in a template', '() => `a\n  b`', '() => `a\n b`'],
    ['raw text of a template', '() => String.raw`\\n`', '() => String.raw`\n`'],
    ['a regular expression', '() => /a b/g', '() => /a  b/g'],
    ['its flags', '() => /a/', '() => /a/g'],
    ['a bigint', '() => 1n', '() => 2n'],
    ['where a statement ends', '(a) => { return\n a }', '(a) => { return a }'],
    ['the order of operations', '(a) => (a + 1) * 2', '(a) => a + 1 * 2'],
    ['async', '() => 1', 'async () => 1'],
    ['generators', 'function () { }', 'function* () { }'],
    ['strictness', 'function () { "use strict"; return 1 }', 'function () { return 1 }'],
    ['a parameter', '(a) => 1', '(a, b) => 1'],
    ['optional chaining', '(a) => a.b', '(a) => a?.b'],
    ['let and const', '() => { let a = 1; return a }', '() => { const a = 1; return a }'],
    ['elisions', '() => [, 1]', '() => [1]'],
  ])('knows %s', async (_, one, other) => {
    expect(await digest(made(one))).not.toBe(await digest(made(other)));
  });

  it.each([
    ['a class', made('class A extends Object { #p = 1; static s = 2; m() { return this.#p + super.x; } }')],
    ['a method', method('run(x) { return super.run(x); }')],
    ['an async generator method', method('async *run(x) { yield await x; }')],
    ['a computed method', method('["a" + "b"](x) { return x; }')],
    ['a method named as a keyword', method('function(x) { return x; }')],
    ['a method named get', method('get(x) { return x; }')],
    [
      'a static method',
      new Function('return class { static m(x) { return this.#p + x; } static #p = 1; }')().m,
    ],
    [
      'a private method',
      new Function('return class { static get() { return this.#p; } static #p(x) { return x; } }')().get(),
    ],
    ['sloppy code', new Function('return function f(a, a) { with (a) { return b; } }')()],
    ['a module', made('async () => (await import("node:fs")).existsSync("x")')],
    [
      'a function with defaults',
      made('function f({ a = 1, ...rest } = {}, [b] = []) { return a ?? b ?? rest }'),
    ],
  ])('is had of %s', async (_, fn: SourceFunction) => {
    expect(await digest(fn)).toMatch(/^[0-9a-f]{64}$/);
    expect(await digest(fn)).toBe(await digest(fn));
  });

  it.each([
    ['a bound function', ((x: number) => x).bind(null)],
    ['a function of the runtime', JSON.stringify],
    ['a class of the runtime', Map],
    ['a Proxy', new Proxy(() => 1, {})],
  ])('is refused of %s, with the name of the task', async (_, fn) => {
    const error = await refusal(fn);
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toContain('Task "judge": its function');
    expect(error.message).toContain('source cannot be seen');
    expect(error.details.task).toBe('judge');
    const dependency = await refusal(() => 1, { dependsOn: [() => 2, fn as SourceFunction] });
    expect(dependency.message).toContain('dependsOn[1]');
  });

  it('is refused of what is not of the kind', async () => {
    expect((await refusal(undefined)).message).toContain('its function is no function');
    expect((await refusal(() => 1, { dependsOn: 'x.txt' as never })).message).toContain('is a list');
    expect((await refusal(() => 1, { dependsOn: [3 as never] })).message).toContain(
      'dependsOn[0] is neither',
    );
  });

  it('is refused where the source cannot be parsed, naming whichever task asks', async () => {
    const odd = Object.assign(() => 1, {});
    const original = Function.prototype.toString;
    Function.prototype.toString = function () {
      return this === odd ? '() => @@' : original.call(this);
    };
    try {
      expect((await refusal(odd)).message).toContain('cannot be parsed');
      const other = await autoVersion('jury', { run: odd }).catch((error: unknown) => error);
      expect(String(other)).toContain('Task "jury"');
    } finally {
      Function.prototype.toString = original;
    }
  });
});

describe('what a version depends on', () => {
  const run = (): number => 1;
  const file = join(folder, 'prompt.txt');
  writeFileSync(file, 'one');

  it('counts: functions by source, files by bytes, the order, the salt', async () => {
    const one = (): number => 1;
    const two = (): number => 2;
    const other = join(folder, 'other.txt');
    writeFileSync(other, 'two');
    const versions = [
      {},
      { dependsOn: [one] },
      { dependsOn: [two] },
      { dependsOn: [one, two] },
      { dependsOn: [two, one] },
      { dependsOn: [file] },
      { dependsOn: [other] },
      { salt: 'a' },
      { salt: '' },
    ];
    const digests = await Promise.all(versions.map((options) => digest(run, options)));
    expect(new Set(digests).size).toBe(versions.length);
    expect(await digest(run, { dependsOn: [] })).toBe(digests[0]);
  });

  it('sees what a function means by its own name, and by those of others that it depends on', async () => {
    const unseen = async (code: CodeOptions): Promise<string[]> =>
      (await autoVersion('judge', code)).freeVariables.map(({ name, place }) => `${place}: ${name}`);
    const walk = (n: number): number => (n === 0 ? odd(n) : walk(n - 1));
    const odd = (n: number): number => walk(n);
    expect(await unseen({ run: walk })).toEqual(['run: odd']);
    expect(await unseen({ run: walk, dependsOn: [odd] })).toEqual([]);
    expect(await unseen({ run, dependsOn: [walk, odd] })).toEqual([]);
    const code = { run: made('() => (0, run_1.run)(run_1.walk)') };
    expect(await unseen({ ...code, dependsOn: [run] })).toEqual(['run: run_1.walk']);
    // Called `run` by the option, it is not what it calls so.
    expect(await unseen({ run: made('(() => ({ run: () => run() }).run)()') })).toEqual(['run: run']);
  });

  it('is parsed once for each source, however often a function of it is made', async () => {
    const source = '() => "parsed once"';
    const first = await sourceOf(made(source));
    expect(knownSourceOf(made(source))).toBe(first);
    expect(knownSourceOf(made('() => "another"'))).toBeUndefined();
  });

  it('is a file by its bytes, wherever it lies', async () => {
    const copy = join(folder, 'copy.txt');
    writeFileSync(copy, 'one');
    const of = (dependency: string | URL): Promise<string> => digest(run, { dependsOn: [dependency] });
    expect(await of(copy)).toBe(await of(file));
    expect(await of(pathToFileURL(file))).toBe(await of(file));
    expect(await of(pathToFileURL(file).href)).toBe(await of(file));
    expect(await of(relative(process.cwd(), file))).toBe(await of(file));
    const before = await of(copy);
    writeFileSync(copy, 'changed');
    expect(await of(copy)).not.toBe(before);
  });

  it('is an error where a file is not there, which tells where paths begin', async () => {
    const error = await refusal(run, { dependsOn: ['nowhere.txt'] });
    expect(error.message).toContain(
      'Task "judge": dependsOn[0] is the file nowhere.txt, which cannot be read',
    );
    expect(error.message).toContain(process.cwd());
    expect((await refusal(run, { dependsOn: [folder] })).message).toContain('cannot be read');
  });

  it('is told apart when keys are explained', async () => {
    const make = async (dependsOn: CodeOptions['dependsOn']) =>
      cacheKey({ taskName: 'judge', version: await autoVersion('judge', { run, dependsOn }), input: 1 });
    const other = join(folder, 'third.txt');
    writeFileSync(other, 'three');
    const [before, after] = [await make([run, file]), await make([run, other, run])];
    expect(explainKeys(before, after).map(({ message }) => message)).toEqual([
      'version.dependsOn[1] changed',
      'version.dependsOn[2] added',
    ]);
  });

  it('is not read once the signal is aborted', async () => {
    const error = await refusal(run, { dependsOn: [file], signal: AbortSignal.abort() });
    expect(error.code).toBe('ABORTED');
  });
});
