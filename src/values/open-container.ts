/** A container by what its items are read into. */
export type ContainerKind = 'array' | 'object' | 'map' | 'set' | 'error' | 'class' | 'reference';

const OBJECT_PROTOTYPE = Object.prototype;

/** A container whose items are being read. */
export class OpenContainer {
  readonly kind: ContainerKind;
  /** The array, object, Map, Set or error itself; the transformer of a class instance, the kind of a reference. */
  readonly target: unknown;
  /** Items still to be read: keys and values of a Map count each, a property once. */
  left: number;
  /** The end of what is around it, where it is the payload of an extension. */
  readonly outerEnd: number | undefined;
  /** The key whose value comes next; of a class instance or a reference the value itself. */
  held: unknown = undefined;
  /** Of an error: its enumerable properties have begun. */
  shown = false;

  constructor(kind: ContainerKind, target: unknown, left: number, outerEnd: number | undefined) {
    this.kind = kind;
    this.target = target;
    this.left = left;
    this.outerEnd = outerEnd;
  }

  /** Puts an item that was read into its place. */
  take(value: unknown): void {
    const { target, held } = this;
    switch (this.kind) {
      case 'array':
        (target as unknown[]).push(value);
        return;
      case 'object':
        setProperty(target as Record<string, unknown>, held as string, value);
        return;
      case 'map':
        // Of an even number, what is left is odd after a key.
        if (this.left % 2 === 1) this.held = value;
        else (target as Map<unknown, unknown>).set(held, value);
        return;
      case 'set':
        (target as Set<unknown>).add(value);
        return;
      case 'error':
        define(target as Error, held as string, value, this.shown);
        return;
      case 'class':
      case 'reference':
        this.held = value;
    }
  }
}

/** Assignment would run a setter, or fail, where someone put a property on Object.prototype or froze it. */
export function setProperty(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key in OBJECT_PROTOTYPE) define(object, key, value, true);
  else object[key] = value;
}

function define(object: object, key: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(object, key, { value, enumerable, writable: true, configurable: true });
}
