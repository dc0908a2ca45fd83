import { Buffer } from 'node:buffer';
import { CACHE_DIGEST, type CacheDigest, hasCacheDigest } from '../values/cache-digest.ts';
import type { ClassTransformer } from '../values/class-transformers.ts';
import { Refusal } from '../values/faults.ts';
import { errorNames, ownData, plainNames, shownData } from '../values/own-data.ts';
import { refusedChange, refusedObject } from '../values/refused-kinds.ts';
import type { SerializerRegistry } from '../values/registry.ts';
import type { SerializeContext } from '../values/serializer.ts';
import { formatPath } from '../values/value-path.ts';
import { ValueWalk } from '../values/value-walk.ts';
import { tooLarge, unkeyable } from './key-fault.ts';
import { borrowSink, KEY_DOMAIN, type KeySink, returnSink, TAG, VALUE_DOMAIN } from './key-sink.ts';

/** The task that asks for the digest of a value, and the name of its root in paths. */
export interface KeySubject {
  readonly taskName: string;
  /** `input`, `config`. */
  readonly root: string;
}

/**
 * The digest by which a value counts in cache keys: BLAKE3 over a canonical, length-prefixed encoding (docs/format.md, section
 * "Cache keys"), which is hashed as it is written. Object keys, Map entries and Set members are sorted; everything else counts.
 *
 * @throws StowageError `UNKEYABLE_VALUE`, with the task and the path inside the value.
 */
export function valueDigest(value: unknown, subject: KeySubject, registry: SerializerRegistry): string {
  return new KeyWalk(subject, registry).digest(value, VALUE_DOMAIN);
}

/** As {@link valueDigest}, of what a key is made of. */
export function recordDigest(value: unknown, subject: KeySubject, registry: SerializerRegistry): string {
  return new KeyWalk(subject, registry).digest(value, KEY_DOMAIN);
}

/** One walk through one value. */
class KeyWalk extends ValueWalk {
  private readonly subject: KeySubject;
  private readonly registry: SerializerRegistry;
  private sink: KeySink;
  private finished = 0;

  constructor(subject: KeySubject, registry: SerializerRegistry) {
    super(registry.classes, registry.limits);
    this.subject = subject;
    this.registry = registry;
    this.sink = borrowSink();
  }

  digest(value: unknown, domain: string): string {
    this.root = value;
    this.sink.begin(domain);
    try {
      this.value(value);
      return this.sink.finish();
    } catch (fault) {
      const path = formatPath(this.subject.root, this.steps.slice(1, this.depth + 1));
      throw unkeyable(this.subject.taskName, path, fault);
    } finally {
      returnSink(this.sink);
    }
  }

  protected override number(value: number): void {
    this.sink.byte(TAG.number);
    this.sink.double(value);
  }

  protected override boolean(value: boolean): void {
    this.sink.byte(value ? TAG.true : TAG.false);
  }

  protected override nil(): void {
    this.sink.byte(TAG.null);
  }

  protected override undefinedValue(): void {
    this.sink.byte(TAG.undefined);
  }

  protected override string(text: string): void {
    this.sink.string(text, TAG.string, TAG.utf16);
  }

  protected override bigint(value: bigint): void {
    const digits = (value < 0n ? -value : value).toString(16);
    this.sink.byte(TAG.bigint);
    this.sink.byte(value < 0n ? 1 : 0);
    const even = digits.length % 2 === 0 ? digits : `0${digits}`;
    this.sink.bytes(Buffer.from(value === 0n ? '' : even, 'hex'));
  }

  protected override instance(value: object, prototype: object): void {
    if (hasCacheDigest(value)) this.explicit(value);
    else super.instance(value, prototype);
  }

  protected override bytes(bytes: Uint8Array): void {
    this.memory(TAG.bytes, bytes);
  }

  protected override typedArray(code: number, littleEndianBytes: Uint8Array): void {
    this.sink.byte(TAG.typedArray);
    this.sink.byte(code);
    this.sink.bytes(littleEndianBytes);
  }

  protected override dataView(bytes: Uint8Array): void {
    this.memory(TAG.dataView, bytes);
  }

  protected override arrayBuffer(bytes: Uint8Array): void {
    this.memory(TAG.arrayBuffer, bytes);
  }

  protected override date(ms: number): void {
    this.sink.byte(TAG.date);
    this.sink.double(ms);
  }

  protected override regexp(source: string, flags: string, lastIndex: number): void {
    this.sink.byte(TAG.regexp);
    this.string(source);
    this.string(flags);
    this.sink.double(lastIndex);
  }

  protected override url(href: string): void {
    this.sink.byte(TAG.url);
    this.string(href);
  }

  protected override plainObject(value: object, isNull: boolean): void {
    if (hasCacheDigest(value)) {
      this.explicit(value);
      return;
    }
    const tag = isNull ? TAG.nullPrototype : TAG.object;
    this.enter(value);
    this.sink.byte(tag);
    this.properties(value, plainNames(value), shownData);
    this.leave();
  }

  /** Sorts by UTF-16 units, which is JavaScript's own order. */
  private properties(value: object, keys: string[], read: typeof ownData): void {
    keys.sort();
    this.sink.count(keys.length);
    for (const key of keys) {
      this.steps[this.depth] = key;
      this.string(key);
      this.value(read(value, key));
    }
  }

  protected override arrayHeader(length: number): void {
    this.sink.byte(TAG.array);
    this.sink.count(length);
  }

  protected override holes(count: number): void {
    this.sink.repeated(TAG.hole, count);
    if (count > 1) this.checkSize();
  }

  protected override map(value: ReadonlyMap<unknown, unknown>): void {
    this.enter(value);
    const { size } = value;
    const entries: string[] = [];
    for (const [key, item] of Map.prototype.entries.call(value)) {
      const index = entries.length;
      if (index === size) throw refusedChange();
      this.steps[this.depth] = { in: 'map-keys', index, key: undefined };
      const keyDigest = this.digestOf(key);
      this.steps[this.depth] = { in: 'map-values', index, key };
      entries.push(keyDigest + this.digestOf(item));
    }
    this.sorted(TAG.map, entries);
    this.leave();
  }

  protected override set(value: ReadonlySet<unknown>): void {
    this.enter(value);
    const { size } = value;
    const members: string[] = [];
    for (const member of Set.prototype.values.call(value)) {
      const index = members.length;
      if (index === size) throw refusedChange();
      this.steps[this.depth] = { in: 'set', index, key: undefined };
      members.push(this.digestOf(member));
    }
    this.sorted(TAG.set, members);
    this.leave();
  }

  /** Digests stand for what has no order of its own, so that it can be sorted without being held. */
  private sorted(tag: number, digests: string[]): void {
    digests.sort();
    this.sink.byte(tag);
    this.sink.count(digests.length);
    for (const digest of digests) this.sink.bulk(Buffer.from(digest, 'hex'));
  }

  /** The digest of a part, as if it stood alone. */
  private digestOf(value: unknown): string {
    const outer = this.sink;
    this.sink = borrowSink();
    this.sink.begin(VALUE_DOMAIN);
    try {
      this.value(value);
      this.finished += this.sink.length;
      return this.sink.finish();
    } finally {
      returnSink(this.sink);
      this.sink = outer;
    }
  }

  protected override classInstance(value: object, transformer: ClassTransformer): void {
    this.enter(value);
    this.sink.byte(TAG.class);
    this.string(transformer.name);
    this.steps[this.depth] = { in: 'class', className: transformer.name };
    this.value(transformer.toValue(value, this.context()));
    this.leave();
  }

  protected override error(value: Error, className: string): void {
    const { hidden, shown } = errorNames(value);
    this.enter(value);
    this.sink.byte(TAG.error);
    this.string(className);
    // The stack tells of the place where the error was made.
    const counted = hidden.filter((key) => key !== 'stack');
    this.properties(value, counted, ownData);
    this.properties(value, shown, shownData);
    this.leave();
  }

  private memory(tag: number, bytes: Uint8Array): void {
    this.sink.byte(tag);
    this.sink.bytes(bytes);
  }

  private explicit(value: CacheDigest): void {
    const digest: unknown = value[CACHE_DIGEST]();
    if (typeof digest !== 'string' || digest === '') {
      throw new Refusal(
        'an object whose cache digest is no text',
        'Let its method `[CACHE_DIGEST]` return a string that is not empty.',
      );
    }
    this.sink.byte(TAG.digest);
    this.string(digest);
  }

  /**
   * Takes a value that only a serializer of its own can save, such as an Arrow table, by its bytes. Where artifacts are saved by such:
   * the value itself, or a member of it.
   */
  protected override foreign(value: object, prototype: object): void {
    const serializer =
      this.depth <= 1 ? this.registry.list().find((candidate) => candidate.accepts(value)) : undefined;
    if (serializer === undefined || serializer.id === 'msgpack') throw refusedObject(value, prototype);
    const { encoding, type, info, bytes } = this.registry.serialize(this.subject.root, value);
    this.sink.byte(TAG.serialized);
    this.string(encoding);
    this.string(type);
    this.value(info ?? null);
    this.sink.bytes(bytes);
  }

  private context(): SerializeContext {
    return { artifactName: this.subject.root, addRef: () => {} };
  }

  private length(): number {
    return this.finished + this.sink.length;
  }

  protected override tooLarge(): Error {
    return tooLarge(this.limits.maxBytes);
  }

  protected override enter(container: object): void {
    this.checkSize();
    super.enter(container);
  }

  protected override checkSize(): void {
    const bytes = this.length();
    if (bytes > this.limits.maxBytes) throw this.tooLarge();
    this.checkExpansion(bytes);
  }
}
