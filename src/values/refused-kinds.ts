import { types } from 'node:util';
import { arrowPartOf, isArrowTable } from './arrow-table.ts';
import { builtInKind, isDisguised } from './built-in-kind.ts';
import type { ClassTransformers } from './class-transformers.ts';
import { Refusal } from './faults.ts';
import { classNameOf } from './intrinsics.ts';
import { refusedNative } from './native-classes.ts';
import { isReference } from './reference.ts';

/**
 * The refusal of a value whose kind alone tells that it is never saved, found without running anyone's code; what is inside of
 * others may be refused still. Of what involves a Proxy, whose handler would have to be asked, nothing is told.
 */
export function refusedKind(value: unknown, classes: ClassTransformers): Refusal | undefined {
  if (typeof value === 'symbol' || typeof value === 'function') return refusedPrimitive(value);
  if (typeof value !== 'object' || value === null || involvesProxy(value)) return undefined;
  const prototype: object | null = Object.getPrototypeOf(value);
  const isPlain = prototype === null || prototype === Object.prototype;
  if (isPlain) {
    const isEmpty = Reflect.ownKeys(value).length === 0;
    return isDisguised(value, isEmpty) ? refusedDisguise(value) : undefined;
  }
  if (classes.ofPrototype(prototype) !== undefined) return undefined;
  if (isReference(value)) return undefined;
  return builtInKind(value, prototype) === undefined ? refusedObject(value, prototype) : undefined;
}

function involvesProxy(value: object): boolean {
  for (let link: object | null = value; link !== null; link = Object.getPrototypeOf(link)) {
    if (types.isProxy(link)) return true;
  }
  return false;
}

/** The refusal of a value of a kind that is never saved as it is. */
export function refusedPrimitive(value: unknown): Refusal {
  return typeof value === 'symbol'
    ? new Refusal('a symbol', 'Save its description, or leave it out.')
    : new Refusal('a function', 'Save what it returns, or the name it is found under, or leave it out.');
}

/** The refusal of what is never saved, whatever its prototype. */
function refusedNature(value: object): Refusal | undefined {
  if (types.isPromise(value)) return new Refusal('a promise', 'Await it, and save the result.');
  if (types.isWeakMap(value) || types.isWeakSet(value) || value instanceof WeakRef) {
    return new Refusal(
      'a weak collection or reference',
      'Save a Map, a Set, or the object itself, or leave it out.',
    );
  }
  if (types.isBoxedPrimitive(value)) {
    return new Refusal('a boxed primitive', 'Save the primitive: what its `valueOf()` gives.');
  }
  if (types.isSharedArrayBuffer(value)) {
    return new Refusal(
      'shared memory',
      'Save a copy that no other thread changes: `new Uint8Array(shared).slice()`.',
    );
  }
  if (types.isGeneratorObject(value)) return new Refusal('a generator', 'Save an array of what it yields.');
  return undefined;
}

/** The refusal of what has the prototype of a plain object, or none, and is something else inside. */
export function refusedDisguise(value: object): Refusal {
  return (
    refusedNature(value) ??
    new Refusal(
      `of the class ${builtInBase(value) ?? 'ArrayBuffer'} inside, with the prototype of another`,
      'Save a copy that has the prototype of its class, or a plain object with its data.',
    )
  );
}

/** The refusal of an object of no savable class. */
export function refusedObject(value: object, prototype: object): Refusal {
  const nature = refusedNature(value);
  if (nature !== undefined) return nature;
  if (isArrowTable(value)) {
    return new Refusal(
      'an Apache Arrow table, which is saved only as an artifact of its own',
      'Save it beside the rest: `{ table, ...others }`, with no other serializer asked for.',
    );
  }
  const part = arrowPartOf(value);
  if (part !== undefined) {
    const table = part === 'vector' ? 'new Table({ name: vector })' : 'new Table(batch)';
    return new Refusal(
      `an Apache Arrow ${part}, of which only whole tables are saved`,
      `Save a table of it, as an artifact of its own: \`${table}\`.`,
    );
  }
  const name = classNameOf(prototype);
  const base = builtInBase(value);
  const native = involvesProxy(value) ? undefined : refusedNative(value, prototype, base);
  if (native !== undefined) return native;
  const data =
    base === 'Error'
      ? 'an error with its data: `Object.assign(new Error(it.message, { cause: it.cause }), it)`'
      : 'a plain object with its data';
  const remedy = `Register the class with \`registerClass({ name, class, toValue, fromValue })\`, or save ${data}.`;
  if (types.isProxy(value))
    return new Refusal(`a Proxy of ${name ?? 'an object'}`, 'Save what it stands for.');
  if (name === undefined) {
    return new Refusal(
      'an object of an unknown prototype',
      'Save a plain object with its data: `{ ...it }`, as a rule.',
    );
  }
  return base === undefined || base === name
    ? new Refusal(`an instance of the class ${name}, which is not registered`, remedy)
    : new Refusal(`an instance of ${name}, a subclass of ${base} which is not registered`, remedy);
}

function builtInBase(value: object): string | undefined {
  if (Array.isArray(value)) return 'Array';
  if (types.isMap(value)) return 'Map';
  if (types.isSet(value)) return 'Set';
  if (types.isDate(value)) return 'Date';
  if (types.isRegExp(value)) return 'RegExp';
  if (types.isNativeError(value)) return 'Error';
  if (ArrayBuffer.isView(value)) return nativeTag?.call(value) ?? 'DataView';
  return undefined;
}

/** Gives the name of a typed array's class, whatever a subclass says. */
const nativeTag = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)?.get;

export function refusedAccessor(): Refusal {
  return new Refusal(
    'a getter or setter',
    'Save a copy that holds the value itself: `{ ...object }` runs getters.',
  );
}

export function refusedSymbolKey(key: symbol, of: object): Refusal {
  if (types.isArgumentsObject(of))
    return new Refusal('the arguments of a function', 'Save an array of them: `[...arguments]`.');
  return new Refusal(
    `an object with the symbol key ${String(key)}`,
    'Use a string as the key, or leave it out.',
  );
}

export function refusedProtoKey(): Refusal {
  return new Refusal(
    'a property named `__proto__` of its own',
    'Rename it, or use a Map: other programs would change a prototype with it.',
  );
}

export function refusedExtraProperty(kind: string): Refusal {
  return new Refusal(
    `an extra property on ${kind}, which would be lost`,
    'Save an object that holds both, or a copy without the property.',
  );
}

export function refusedHiddenProperty(): Refusal {
  return new Refusal(
    'a property that is not enumerable',
    'Save a copy with it as an ordinary property, or one without it: `{ ...object }` leaves it out.',
  );
}

export function refusedCycle(): Refusal {
  return new Refusal('the object that contains it', 'Save ids or paths in place of references back.');
}

export function refusedDepth(maxDepth: number): Refusal {
  return new Refusal(
    `nested deeper than ${maxDepth} levels`,
    'Flatten it, for example into an array with indexes, or raise `maxDepth` of the SerializerRegistry.',
  );
}

export function refusedChange(): Refusal {
  return new Refusal('changed while it was being saved', 'Save a copy that nothing else changes.');
}
