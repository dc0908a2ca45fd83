import { Buffer } from 'node:buffer';
import type { ClassTransformer, ClassTransformers } from './class-transformers.ts';
import { EXTENSION, MAX_BIGINT_BYTES, type ValueLimits } from './extensions.ts';
import { Refusal, unserializable } from './faults.ts';
import { isNativeFunction } from './intrinsics.ts';
import { MsgpackWriter, tooLarge } from './msgpack-writer.ts';
import { errorNames, ownData, plainNames, shownData } from './own-data.ts';
import { isReference, REFERENCE, type Referring } from './reference.ts';
import { refusedAccessor, refusedChange, refusedProtoKey } from './refused-kinds.ts';
import type { SerializeContext } from './serializer.ts';
import { formatPath } from './value-path.ts';
import { ValueWalk } from './value-walk.ts';

const NOTHING = new Uint8Array(0);

/** A value as MessagePack, and whether JSON would have carried it exactly. */
export interface EncodedValue {
  readonly bytes: Uint8Array;
  readonly jsonExact: boolean;
}

/**
 * Walks a value once, and checks and writes it in the same pass (the dialect is that of {@link EXTENSION}).
 *
 * Encodes one value at a time: a transformer that saves another artifact meanwhile needs another encoder.
 */
export class ValueEncoder extends ValueWalk {
  private readonly out: MsgpackWriter;
  private jsonExact = true;
  private context: SerializeContext | undefined;

  constructor(classes: ClassTransformers, limits: ValueLimits) {
    super(classes, limits);
    this.out = new MsgpackWriter(limits.maxBytes, (bytes) => this.checkExpansion(bytes));
  }

  /** `UNSERIALIZABLE_ARTIFACT`, with the path, for whatever the walk refuses or the value throws. */
  encode(value: unknown, context: SerializeContext): EncodedValue {
    this.depth = 0;
    this.jsonExact = true;
    this.expansionChecks = 0;
    this.root = value;
    this.context = context;
    try {
      this.out.begin();
      this.value(value);
      return { bytes: this.out.finish(), jsonExact: this.jsonExact };
    } catch (fault) {
      this.containers.length = 0;
      const path = formatPath(context.artifactName, this.steps.slice(1, this.depth + 1));
      throw unserializable(context.artifactName, path, fault);
    } finally {
      this.root = undefined;
      this.context = undefined;
    }
  }

  protected override number(value: number): void {
    if (!Number.isFinite(value) || Object.is(value, -0)) this.jsonExact = false;
    this.out.number(value);
  }

  protected override boolean(value: boolean): void {
    this.out.boolean(value);
  }

  protected override nil(): void {
    this.out.nil();
  }

  protected override undefinedValue(): void {
    this.extension(EXTENSION.undefined, NOTHING);
  }

  protected override string(text: string): void {
    if (this.out.string(text)) return;
    this.extension(EXTENSION.utf16, Buffer.from(text, 'utf16le'));
  }

  protected override bigint(value: bigint): void {
    const magnitude = value < 0n ? -value : value;
    const digits = magnitude === 0n ? '' : magnitude.toString(16);
    if (digits.length > 2 * MAX_BIGINT_BYTES) {
      throw new Refusal(`a bigint of more than ${MAX_BIGINT_BYTES} bytes`, 'Save its bytes as a Uint8Array.');
    }
    const bytes = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
    this.extension(EXTENSION.bigint, bytes, value < 0n ? 1 : 0);
  }

  private extension(code: number, bytes: Uint8Array, first?: number): void {
    this.jsonExact = false;
    this.out.extension(code, bytes, first);
  }

  protected override plainObject(value: object, isNull: boolean): void {
    if (isNull) {
      this.nullPrototypeObject(value);
      return;
    }
    this.enter(value);
    this.properties(value, plainNames(value));
    this.leave();
  }

  private nullPrototypeObject(value: object): void {
    this.enter(value);
    const names = plainNames(value);
    const begun = this.beginContainer(EXTENSION.nullPrototype);
    this.properties(value, names);
    this.out.endContainer(begun);
    this.leave();
  }

  private properties(value: object, keys: readonly string[]): void {
    this.out.mapHeader(keys.length);
    for (const key of keys) {
      this.steps[this.depth] = key;
      if (key === '__proto__') throw refusedProtoKey();
      this.string(key);
      this.value(shownData(value, key));
    }
  }

  protected override arrayHeader(length: number): void {
    this.out.arrayHeader(length);
  }

  protected override holes(count: number): void {
    this.jsonExact = false;
    this.out.emptyExtensions(EXTENSION.hole, count);
  }

  protected override map(value: ReadonlyMap<unknown, unknown>): void {
    this.enter(value);
    const begun = this.beginContainer(EXTENSION.map);
    const { size } = value;
    this.out.arrayHeader(2 * size);
    const inKeys = { in: 'map-keys' as const, index: 0, key: undefined };
    const inValues = { in: 'map-values' as const, index: 0, key: undefined as unknown };
    let count = 0;
    for (const [key, item] of Map.prototype.entries.call(value)) {
      inKeys.index = count;
      this.steps[this.depth] = inKeys;
      this.value(key);
      inValues.index = count;
      inValues.key = key;
      this.steps[this.depth] = inValues;
      this.value(item);
      if (++count > size) break;
    }
    inValues.key = undefined;
    if (count !== size) throw refusedChange();
    this.out.endContainer(begun);
    this.leave();
  }

  protected override set(value: ReadonlySet<unknown>): void {
    this.enter(value);
    const begun = this.beginContainer(EXTENSION.set);
    const { size } = value;
    this.out.arrayHeader(size);
    const inSet = { in: 'set' as const, index: 0, key: undefined };
    let count = 0;
    for (const member of Set.prototype.values.call(value)) {
      inSet.index = count;
      this.steps[this.depth] = inSet;
      this.value(member);
      if (++count > size) break;
    }
    if (count !== size) throw refusedChange();
    this.out.endContainer(begun);
    this.leave();
  }

  protected override classInstance(value: object, transformer: ClassTransformer): void {
    this.enter(value);
    const begun = this.beginContainer(EXTENSION.class);
    this.out.arrayHeader(2);
    this.string(transformer.name);
    this.steps[this.depth] = { in: 'class', className: transformer.name };
    this.value(transformer.toValue(value, this.context as SerializeContext));
    this.out.endContainer(begun);
    this.leave();
  }

  protected override foreign(value: object, prototype: object): void {
    if (isReference(value)) this.reference(value);
    else super.foreign(value, prototype);
  }

  private reference(value: Referring): void {
    const { kind, members, contents } = value[REFERENCE]();
    this.enter(value);
    const begun = this.beginContainer(EXTENSION.reference);
    this.out.arrayHeader(2);
    this.string(kind);
    this.value(members);
    this.out.endContainer(begun);
    this.leave();
    for (const content of contents) (this.context as SerializeContext).addRef(content);
  }

  protected override error(value: Error, className: string): void {
    const { hidden, shown } = errorNames(value);
    this.enter(value);
    const begun = this.beginContainer(EXTENSION.error);
    this.out.arrayHeader(3);
    this.string(className);
    this.out.mapHeader(hidden.length);
    for (const key of hidden) {
      this.steps[this.depth] = key;
      this.string(key);
      this.value(key === 'stack' ? stackOf(value) : ownData(value, key));
    }
    this.properties(value, shown);
    this.out.endContainer(begun);
    this.leave();
  }

  protected override date(ms: number): void {
    const time = new Uint8Array(8);
    const view = new DataView(time.buffer);
    if (Number.isNaN(ms)) view.setUint32(0, 0x7ff80000);
    else view.setFloat64(0, ms);
    this.extension(EXTENSION.date, time);
  }

  protected override regexp(source: string, flags: string, lastIndex: number): void {
    const begun = this.beginContainer(EXTENSION.regexp);
    this.out.arrayHeader(3);
    this.string(source);
    this.string(flags);
    this.out.number(lastIndex);
    this.out.endContainer(begun);
  }

  protected override url(href: string): void {
    this.extension(EXTENSION.url, Buffer.from(href));
  }

  protected override bytes(bytes: Uint8Array): void {
    this.jsonExact = false;
    this.out.binary(bytes);
  }

  protected override typedArray(code: number, littleEndianBytes: Uint8Array): void {
    this.extension(EXTENSION.typedArray, littleEndianBytes, code);
  }

  protected override dataView(bytes: Uint8Array): void {
    this.extension(EXTENSION.dataView, bytes);
  }

  protected override arrayBuffer(bytes: Uint8Array): void {
    this.extension(EXTENSION.arrayBuffer, bytes);
  }

  /** The writer does, as its memory grows. */
  protected override checkSize(): void {}

  private beginContainer(code: number): number {
    this.jsonExact = false;
    return this.out.beginContainer(code);
  }

  protected override tooLarge(): Error {
    return tooLarge(this.limits.maxBytes);
  }
}

/** `stack` is a property in some runtimes and a native accessor in others; a user's getter is refused like any. */
function stackOf(error: Error): unknown {
  const getter = Object.getOwnPropertyDescriptor(error, 'stack')?.get;
  if (getter === undefined) return ownData(error, 'stack');
  if (!isNativeFunction(getter)) throw refusedAccessor();
  return error.stack;
}
