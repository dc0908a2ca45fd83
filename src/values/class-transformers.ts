import { Buffer } from 'node:buffer';
import { invalidArgument } from '../errors.ts';
import { isNativeFunction } from './intrinsics.ts';
import type { SerializeContext } from './serializer.ts';

/**
 * Makes instances of a class savable, at any depth of a value, by turning them into what is savable already.
 */
export interface ClassTransformer<T = unknown, V = unknown> {
  /** Written with every instance; never change what a name means. It need not be the class's own. */
  readonly name: string;
  readonly class: abstract new (...args: never[]) => T;
  /** Makes the value that an instance is saved as. Equal instances give equal values, and stay unchanged. */
  toValue(instance: T, context: SerializeContext): V;
  /** Makes an instance of a loaded value, of which nothing is certain. Whatever it throws reaches the user as `UNDECODABLE_ARTIFACT`. */
  fromValue(value: V): T;
}

/** The registered classes, found by prototype when saving and by name when loading. */
export class ClassTransformers {
  private readonly byPrototype = new Map<object, ClassTransformer>();
  private readonly byName = new Map<string, ClassTransformer>();

  /** `INVALID_ARGUMENT` for a name or class that is taken, and for classes of the runtime, whose encoding is fixed. */
  add<T, V>(transformer: ClassTransformer<T, V>): void {
    const { name, class: Class } = transformer;
    if (name === '') throw invalidArgument('A class needs a name that is not empty.');
    if (typeof Class !== 'function' || typeof Class.prototype !== 'object' || Class.prototype === null) {
      throw invalidArgument(`What is registered as "${name}" is not a class.`);
    }
    if (this.byName.has(name)) {
      throw invalidArgument(`A class is registered as "${name}" already: choose another name.`);
    }
    const prototype = Class.prototype as object;
    if (this.byPrototype.has(prototype)) {
      throw invalidArgument(`The class of "${name}" is registered already, under another name.`);
    }
    if (isNativeFunction(Class) || prototype === URL.prototype || prototype === Buffer.prototype) {
      throw invalidArgument(
        `${name} is a class of the runtime, which has its own encoding: register a class of yours.`,
      );
    }
    const known = transformer as unknown as ClassTransformer;
    this.byName.set(name, known);
    this.byPrototype.set(prototype, known);
  }

  ofPrototype(prototype: object): ClassTransformer | undefined {
    return this.byPrototype.get(prototype);
  }

  named(name: string): ClassTransformer | undefined {
    return this.byName.get(name);
  }
}
