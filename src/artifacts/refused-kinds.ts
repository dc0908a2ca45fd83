import { types } from 'node:util';
import { isArrowTable } from './arrow-table.ts';
import { Refusal } from './faults.ts';
import { classNameOf } from './intrinsics.ts';

/** The refusal of a value of a kind that is never saved as it is. */
export function refusedPrimitive(value: unknown): Refusal {
  return typeof value === 'symbol'
    ? new Refusal('a symbol', 'Save its description, or leave it out.')
    : new Refusal('a function', 'Save what it returns, or the name it is found under, or leave it out.');
}

/** The refusal of an object of no savable class. */
export function refusedObject(value: object, prototype: object): Refusal {
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
  if (isArrowTable(value)) {
    return new Refusal(
      'an Apache Arrow table, which is saved only as an artifact of its own',
      'Save it beside the rest: `{ table, ...others }`, with no other serializer asked for.',
    );
  }
  const name = classNameOf(prototype);
  const remedy = `Register the class with \`registerClass({ name, class, toValue, fromValue })\`, or save a plain object with its data.`;
  if (types.isProxy(value))
    return new Refusal(`a Proxy of ${name ?? 'an object'}`, 'Save what it stands for.');
  if (name === undefined) return new Refusal('an object of an unknown prototype', remedy);
  const base = builtInBase(value);
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
  if (ArrayBuffer.isView(value)) return Object.prototype.toString.call(value).slice(8, -1);
  return undefined;
}

export function refusedAccessor(): Refusal {
  return new Refusal(
    'a getter or setter',
    'Save a copy that holds the value itself: `{ ...object }` runs getters.',
  );
}

export function refusedSymbolKey(key: symbol): Refusal {
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
    'Save an object that holds both, or leave the property out.',
  );
}

export function refusedCycle(): Refusal {
  return new Refusal('the object that contains it', 'Save ids or paths in place of references back.');
}

export function refusedDepth(maxDepth: number): Refusal {
  return new Refusal(
    `nested deeper than ${maxDepth} levels`,
    'Flatten it, for example into an array with indexes, or raise `maxDepth`.',
  );
}

export function refusedChange(): Refusal {
  return new Refusal('changed while it was being saved', 'Save a copy that nothing else changes.');
}
