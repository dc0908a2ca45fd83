import { Readable, Writable } from 'node:stream';
import { types } from 'node:util';
import { Refusal } from './faults.ts';
import { classNameOf, hasEncoding, isNativeFunction } from './intrinsics.ts';

/** A class of the runtime, in words that follow "it is", and the remedy of what is an instance of it. */
interface NativeClass {
  readonly what: string;
  readonly remedy: string;
}

const STREAM: NativeClass = {
  what: 'a stream, of which nothing was read',
  remedy:
    'Save its bytes with `task.saveArtifactStream(name, stream)`, at any length; or read it, and save what it gives.',
};
const SINK: NativeClass = {
  what: 'a stream that is written to',
  remedy: 'Save what is written to it, or leave it out.',
};
const BODY =
  'Save what it holds: `await it.json()` or `await it.text()`, `new Uint8Array(await it.arrayBuffer())`, or its `body` with `task.saveArtifactStream(name, body)`';
const BLOB =
  'Save its bytes, `new Uint8Array(await it.arrayBuffer())`, or `task.saveArtifactStream(name, it.stream())`, and its type and name beside them.';
const LIVE = 'It belongs to this process alone. Leave it out, or save plain data that tells of it.';
const CODER = 'Make a new one where it is needed; save its options, if it has any.';
const ENTRIES = 'Save its entries: `[...it]`.';
const OPTIONS = 'Save its options, `it.resolvedOptions()`, and make a new one of them where it is loaded.';

/** Classes that are globals of Node.js, whose code may be JavaScript. */
const GLOBALS: Readonly<Record<string, NativeClass>> = {
  Blob: { what: 'a Blob', remedy: BLOB },
  File: { what: 'a File', remedy: BLOB },
  Response: { what: 'a Response', remedy: `${BODY}; and its status and headers beside it.` },
  Request: { what: 'a Request', remedy: `${BODY}; and its url and headers beside it.` },
  Headers: { what: 'Headers', remedy: ENTRIES },
  FormData: { what: 'a FormData', remedy: ENTRIES },
  URLSearchParams: {
    what: 'a URLSearchParams',
    remedy: 'Save its text, `String(it)`, or its entries, `[...it]`.',
  },
  ReadableStream: STREAM,
  WritableStream: SINK,
  TransformStream: { what: 'a TransformStream', remedy: 'Save what its `readable` gives, or leave it out.' },
  DOMException: {
    what: 'a DOMException',
    remedy:
      'Save an Error with its data: `Object.assign(new Error(it.message, { cause: it.cause }), { name: it.name })`.',
  },
  AbortSignal: { what: 'an AbortSignal', remedy: LIVE },
  AbortController: { what: 'an AbortController', remedy: LIVE },
  MessagePort: { what: 'a MessagePort', remedy: LIVE },
  MessageChannel: { what: 'a MessageChannel', remedy: LIVE },
  BroadcastChannel: { what: 'a BroadcastChannel', remedy: LIVE },
  Event: { what: 'an Event', remedy: LIVE },
  EventTarget: { what: 'an EventTarget', remedy: LIVE },
  Performance: { what: 'a Performance', remedy: LIVE },
  TextEncoder: { what: 'a TextEncoder', remedy: CODER },
  TextDecoder: { what: 'a TextDecoder', remedy: CODER },
  CryptoKey: { what: 'a CryptoKey', remedy: 'Save what `crypto.subtle.exportKey` gives, or leave it out.' },
};

/**
 * The refusal of an instance of a class that the runtime has and that has no encoding: it tells what to save in its place, since to register
 * such a class is no way for some, and not the simplest for others. Nobody's code is run but getters of globals.
 *
 * @param base - the class that it is of inside, where that is one whose instances are saved.
 */
export function refusedNative(
  value: object,
  prototype: object,
  base: string | undefined,
): Refusal | undefined {
  const native =
    globalClass(prototype) ??
    keyClass(value) ??
    (base === undefined ? (streamClass(value) ?? builtInClass(value, prototype)) : undefined);
  return native && new Refusal(native.what, native.remedy);
}

function globalClass(prototype: object): NativeClass | undefined {
  const name = classNameOf(prototype);
  if (name === undefined || !Object.hasOwn(GLOBALS, name)) return undefined;
  const Class = (globalThis as unknown as Record<string, { prototype?: unknown } | undefined>)[name];
  return Class?.prototype === prototype ? GLOBALS[name] : undefined;
}

/** Keys, whose classes are others than those that are globals. */
function keyClass(value: object): NativeClass | undefined {
  if (types.isCryptoKey(value)) return GLOBALS.CryptoKey;
  const remedy = 'Save what `it.export()` gives, or leave it out.';
  return types.isKeyObject(value) ? { what: 'a KeyObject', remedy } : undefined;
}

/** Streams of Node.js, subclasses such as `fs.ReadStream` among them. What both reads and writes is told as what is read. */
function streamClass(value: object): NativeClass | undefined {
  if (inherits(value, Readable.prototype)) return STREAM;
  return inherits(value, Writable.prototype) ? SINK : undefined;
}

/** Classes of the language, whose code is native: those of `Intl`, `Temporal` and `WebAssembly`, iterators, and whatever comes. */
function builtInClass(value: object, prototype: object): NativeClass | undefined {
  if (types.isMapIterator(value) || types.isSetIterator(value) || inherits(value, ITERATOR)) {
    return { what: 'an iterator', remedy: 'Save an array of what it yields: `[...it]`.' };
  }
  const owner: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
  const name = classNameOf(prototype);
  if (name === undefined || !isNativeFunction(owner)) return undefined;
  const tag: unknown = Object.getOwnPropertyDescriptor(prototype, Symbol.toStringTag)?.value;
  const full = typeof tag === 'string' && tag.endsWith(`.${name}`) ? tag : name;
  if (full === 'Intl.Locale') return { what: 'an Intl.Locale', remedy: 'Save its text: `String(it)`.' };
  if (full.startsWith('Intl.')) return { what: `an ${full}`, remedy: OPTIONS };
  if (full.startsWith('Temporal.')) {
    const remedy = `Save its text, \`String(it)\`, and make it again by \`${full}.from(text)\`.`;
    return { what: `a ${full}`, remedy };
  }
  if (full === 'WebAssembly.Module') {
    return { what: 'a WebAssembly.Module', remedy: 'Save the bytes that it was compiled of.' };
  }
  if (hasEncoding(name)) {
    return {
      what: `an object with the prototype of ${name} that is none inside`,
      remedy: 'Save a plain object with its data.',
    };
  }
  return {
    what: `an instance of ${full}, a class of the runtime that has no encoding`,
    remedy: 'Save plain data that tells of it, or leave it out.',
  };
}

const ITERATOR: object = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));

function inherits(value: object, prototype: object): boolean {
  return Object.prototype.isPrototypeOf.call(prototype, value);
}
