import { type BuiltInKind, builtInKind, errorClassOf } from './built-in-kind.ts';
import type { ClassTransformer, ClassTransformers } from './class-transformers.ts';
import { type ElementType, elementTypeOf, littleEndian } from './element-types.ts';
import { expandedBytesAtLeast } from './expanded-size.ts';
import type { ValueLimits } from './extensions.ts';
import { HoleRuns } from './hole-runs.ts';
import { extraProperty, HOLE, hrefOf, lastIndexOf, ownElement, refuseExtraProperties } from './own-data.ts';
import {
  refusedCycle,
  refusedDepth,
  refusedExtraProperty,
  refusedObject,
  refusedPrimitive,
} from './refused-kinds.ts';
import type { PathStep } from './value-path.ts';
import { bufferBytes, viewBytes } from './view-bytes.ts';

/**
 * A walk that made so many bytes asks how large the whole would become: first of a value of few parts, which takes a moment, then of any.
 */
const EXPANSION_CHECKS = [
  { bytes: 1024 * 1024, steps: 50_000 },
  { bytes: 32 * 1024 * 1024, steps: Infinity },
] as const;

/** One walk through one value: tells what each part is, and where it is. What is made of the parts is up to who extends it. */
export abstract class ValueWalk {
  protected readonly classes: ClassTransformers;
  protected readonly limits: ValueLimits;
  // Where the walk is: the containers it is in, and its step inside each. Level 1 is the outermost.
  protected readonly containers: (object | undefined)[] = [];
  protected readonly steps: (PathStep | undefined)[] = [];
  protected depth = 0;
  protected root: unknown;
  protected expansionChecks = 0;

  constructor(classes: ClassTransformers, limits: ValueLimits) {
    this.classes = classes;
    this.limits = limits;
  }

  protected abstract string(text: string): void;
  protected abstract number(value: number): void;
  protected abstract boolean(value: boolean): void;
  protected abstract nil(): void;
  protected abstract undefinedValue(): void;
  protected abstract bigint(value: bigint): void;
  protected abstract bytes(bytes: Uint8Array): void;
  protected abstract typedArray(code: number, littleEndianBytes: Uint8Array): void;
  protected abstract dataView(bytes: Uint8Array): void;
  protected abstract arrayBuffer(bytes: Uint8Array): void;
  protected abstract date(ms: number): void;
  protected abstract regexp(source: string, flags: string, lastIndex: number): void;
  protected abstract url(href: string): void;
  protected abstract plainObject(value: object, isNull: boolean): void;
  protected abstract arrayHeader(length: number): void;
  protected abstract holes(count: number): void;
  protected abstract map(value: ReadonlyMap<unknown, unknown>): void;
  protected abstract set(value: ReadonlySet<unknown>): void;
  protected abstract error(value: Error, className: string): void;
  protected abstract classInstance(value: object, transformer: ClassTransformer): void;
  /** Called now and then inside of a long array. */
  protected abstract checkSize(): void;
  protected abstract tooLarge(): Error;

  protected value(value: unknown): void {
    switch (typeof value) {
      case 'string':
        this.string(value);
        return;
      case 'number':
        this.number(value);
        return;
      case 'boolean':
        this.boolean(value);
        return;
      case 'object':
        if (value === null) this.nil();
        else this.object(value);
        return;
      case 'undefined':
        this.undefinedValue();
        return;
      case 'bigint':
        this.bigint(value);
        return;
      default:
        throw refusedPrimitive(value);
    }
  }

  private object(value: object): void {
    const prototype: object | null = Object.getPrototypeOf(value);
    if (prototype === Object.prototype) this.plainObject(value, false);
    else if (prototype === null) this.plainObject(value, true);
    else if (prototype === Array.prototype && Array.isArray(value)) this.array(value);
    else this.instance(value, prototype);
  }

  protected instance(value: object, prototype: object): void {
    const transformer = this.classes.ofPrototype(prototype);
    if (transformer !== undefined) {
      this.classInstance(value, transformer);
      return;
    }
    const kind = builtInKind(value, prototype);
    if (kind === 'array') this.array(value as unknown[]);
    else if (kind === 'object') this.plainObject(value, false);
    else if (kind === undefined) this.foreign(value, prototype);
    else this.builtIn(kind, value, prototype);
  }

  private builtIn(kind: BuiltInKind, value: object, prototype: object): void {
    switch (kind) {
      case 'bytes':
        this.bytes(viewBytes(value as Uint8Array));
        return;
      case 'typed-array': {
        const { elementBytes, code } = elementTypeOf(value) as ElementType;
        this.typedArray(code, littleEndian(viewBytes(value as ArrayBufferView), elementBytes));
        return;
      }
      case 'data-view':
        this.dataView(viewBytes(value as DataView));
        return;
      case 'array-buffer':
        this.arrayBuffer(bufferBytes(value as ArrayBuffer));
        return;
      case 'map':
        refuseExtraProperties(value, 'a Map');
        this.map(value as Map<unknown, unknown>);
        return;
      case 'set':
        refuseExtraProperties(value, 'a Set');
        this.set(value as Set<unknown>);
        return;
      case 'date':
        refuseExtraProperties(value, 'a Date');
        this.date(Date.prototype.getTime.call(value));
        return;
      case 'regexp': {
        refuseExtraProperties(value, 'a RegExp', ['lastIndex']);
        const regexp = value as RegExp;
        this.regexp(regexp.source, regexp.flags, lastIndexOf(regexp));
        return;
      }
      case 'error':
        this.error(value as Error, errorClassOf(prototype) as string);
        return;
      case 'url':
        this.url(hrefOf(value as URL));
    }
  }

  private array(value: readonly unknown[]): void {
    this.enter(value);
    const { length } = value;
    const extra = extraProperty(value);
    if (extra !== undefined) {
      this.steps[this.depth] = extra;
      throw refusedExtraProperty('an array');
    }
    if (length > this.limits.maxBytes) throw this.tooLarge();
    this.arrayHeader(length);
    let runs: HoleRuns | undefined;
    for (let index = 0; index < length; index++) {
      this.steps[this.depth] = index;
      const element = ownElement(value, index);
      if (element !== HOLE) this.value(element);
      else {
        runs ??= new HoleRuns(value);
        const holes = runs.from(index);
        this.holes(holes);
        index += holes - 1;
      }
      // An array inside an array is looked at where it is entered; a long one of numbers is not.
      if ((index & 0xffff) === 0xffff) this.checkSize();
    }
    this.leave();
  }

  protected foreign(value: object, prototype: object): void {
    throw refusedObject(value, prototype);
  }

  protected enter(container: object): void {
    const { containers, depth } = this;
    for (let level = depth; level > 0; level--) {
      if (containers[level] === container) throw refusedCycle();
    }
    if (depth >= this.limits.maxDepth) throw refusedDepth(this.limits.maxDepth);
    this.depth = depth + 1;
    containers[this.depth] = container;
    this.steps[this.depth] = undefined;
  }

  protected leave(): void {
    // The walk may outlive the value, and must not keep it.
    this.containers[this.depth--] = undefined;
  }

  /** Refuses a small graph that stands for a huge tree, once `bytes` were made of it; whoever extends this asks as these grow. */
  protected checkExpansion(bytes: number): void {
    const check = EXPANSION_CHECKS[this.expansionChecks];
    if (check === undefined || bytes <= check.bytes) return;
    this.expansionChecks++;
    const { maxBytes, maxDepth } = this.limits;
    const expanded = expandedBytesAtLeast(this.root, maxDepth, check.steps);
    if (expanded === undefined || expanded <= maxBytes) return;
    this.depth = 0;
    throw this.tooLarge();
  }
}
