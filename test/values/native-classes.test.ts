import assert from 'node:assert';
import { createSecretKey } from 'node:crypto';
import { lookup } from 'node:dns';
import { createReadStream, createWriteStream, promises, readFileSync } from 'node:fs';
import { PassThrough, Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { SerializerRegistry } from '../../src/values/registry.ts';

const argumentsOf = new Function('return arguments') as (...args: unknown[]) => object;
const cryptoKey = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 128 }, true, ['encrypt']);

const registry = new SerializerRegistry();

function messageOf(value: unknown): string {
  try {
    registry.serialize('it', { held: value });
  } catch (error) {
    expect(error).toMatchObject({ code: 'UNSERIALIZABLE_ARTIFACT', details: { path: 'it.held' } });
    return (error as Error).message;
  }
  throw new Error('It was saved.');
}

function reloaded(value: unknown): unknown {
  const artifact = registry.serialize('it', value);
  return registry.deserialize('it', artifact, artifact.bytes);
}

function thrownBy(work: () => unknown): Error {
  try {
    work();
  } catch (error) {
    return error as Error;
  }
  throw new Error('Nothing was thrown.');
}

const HERE = fileURLToPath(import.meta.url);

describe('an instance of a class of the runtime is refused with the remedy of that class', () => {
  it.each<[string, () => object, RegExp]>([
    ['a Blob', () => new Blob(['x']), /a Blob\. .*arrayBuffer\(\)/],
    ['a File', () => new File(['x'], 'f'), /a File\. .*arrayBuffer\(\)/],
    ['a Response', () => new Response('x'), /a Response\. .*await it\.text\(\)/],
    ['a Request', () => new Request('http://a/'), /a Request\. .*await it\.text\(\)/],
    ['Headers', () => new Headers({ a: 'b' }), /\[\.\.\.it\]/],
    ['a FormData', () => new FormData(), /\[\.\.\.it\]/],
    ['a URLSearchParams', () => new URLSearchParams('a=b'), /String\(it\)/],
    ['a web stream', () => new Blob(['x']).stream(), /saveArtifactStream\(name, stream\)/],
    ['a web sink', () => new WritableStream(), /written to it/],
    ['a TransformStream', () => new TransformStream(), /`readable`/],
    ['a Readable', () => Readable.from(['x']), /saveArtifactStream\(name, stream\)/],
    ['a Duplex', () => new PassThrough(), /saveArtifactStream\(name, stream\)/],
    [
      'a DOMException',
      () => new DOMException('m', 'DataError'),
      /a DOMException\. .*Object\.assign\(new Error/,
    ],
    ['an AbortSignal', () => AbortSignal.timeout(1), /this process alone/],
    ['an AbortController', () => new AbortController(), /this process alone/],
    ['the arguments of a function', () => argumentsOf(1, 2), /an array of them: `\[\.\.\.arguments\]`/],
    ['an Event', () => new Event('x'), /an Event\. .*this process alone/],
    ['a TextDecoder', () => new TextDecoder(), /Make a new one/],
    ['a KeyObject', () => createSecretKey(Buffer.alloc(16)), /a KeyObject\. .*it\.export\(\)/],
    ['a CryptoKey', () => cryptoKey, /a CryptoKey\. .*exportKey/],
    ['a NumberFormat', () => new Intl.NumberFormat('en'), /an Intl\.NumberFormat\. .*resolvedOptions\(\)/],
    ['a Collator', () => new Intl.Collator('en'), /an Intl\.Collator\. .*resolvedOptions\(\)/],
    ['a Locale', () => new Intl.Locale('en'), /an Intl\.Locale\. .*String\(it\)/],
    ['an iterator of an array', () => [1].values(), /an iterator\. .*\[\.\.\.it\]/],
    ['an iterator of a Map', () => new Map().keys(), /an iterator\. .*\[\.\.\.it\]/],
    [
      'a FinalizationRegistry',
      () => new FinalizationRegistry(() => {}),
      /FinalizationRegistry, a class of the runtime/,
    ],
    ['what is no Map inside', () => Object.create(Map.prototype), /prototype of Map that is none inside/],
    [
      'an AssertionError',
      () => thrownBy(() => assert.equal(1, 2)),
      /new Error\(it\.message, \{ cause: it\.cause \}\)/,
    ],
  ])('%s', (_name, make, remedy) => {
    const message = messageOf(make());
    expect(message).toMatch(remedy);
    expect(message.includes('registerClass')).toBe(message.includes('which is not registered'));
  });

  it('streams of files', async () => {
    const [input, output] = [createReadStream(HERE), createWriteStream('/dev/null')];
    try {
      expect(messageOf(input)).toContain('saveArtifactStream');
      expect(messageOf(output)).toContain('a stream that is written to');
    } finally {
      input.destroy();
      output.destroy();
    }
  });

  // Only newer runtimes have it.
  it.runIf('Temporal' in globalThis)('a Temporal value', () => {
    const { Temporal } = globalThis as unknown as { Temporal: { Now: { instant(): object } } };
    expect(messageOf(Temporal.Now.instant())).toContain('Temporal.Instant.from(text)');
  });

  it('a class of a user keeps its own remedy, whatever its name is', () => {
    class Blob {}
    expect(messageOf(new Blob())).toMatch(/the class Blob, which is not registered\. .*registerClass/);
  });
});

describe('an error that Node.js throws itself', () => {
  it.each<[string, () => unknown]>([
    ['ERR_INVALID_ARG_TYPE', () => Buffer.alloc('x' as never)],
    ['ERR_OUT_OF_RANGE', () => Buffer.alloc(1).readInt8(9)],
    ['ERR_INVALID_URL', () => new URL('x')],
    ['ENOENT', () => readFileSync('/not/there')],
  ])('comes back as the standard error that it says it is: %s', (code, work) => {
    const error = thrownBy(work);
    const back = reloaded(error) as Error;
    expect(back.constructor).toBe(error.constructor);
    expect(back).toMatchObject({ name: error.name, message: error.message, stack: error.stack, code });
    expect(Object.keys(back)).toEqual(Object.keys(error));
    expect(registry.serialize('it', error).type).toBe(error.name);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['of a module that is not there', () => import('not-there' as string)],
    ['of a file', () => promises.readFile('/not/there')],
    ['of a name', () => new Promise((_, reject) => lookup('not-there.invalid', reject))],
  ])('comes back from a promise: %s', async (_name, work) => {
    const error = await work().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (error === null || error === undefined) throw new Error('Nothing was thrown.');
    expect(reloaded(error)).toMatchObject({
      message: (error as Error).message,
      code: (error as { code: string }).code,
    });
  });

  it('is no cover for a class of a user', () => {
    class Failure extends TypeError {}
    expect(messageOf(new Failure('x'))).toContain('Failure, a subclass of Error which is not registered');
    const odd = Object.defineProperty(Object.create(TypeError.prototype), 'constructor', {
      get: () => Failure,
    });
    Object.defineProperty(odd, 'extra', { value: () => 1 });
    expect(messageOf(Object.setPrototypeOf(new TypeError('x'), odd))).toContain('unknown prototype');
  });
});
