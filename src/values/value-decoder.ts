import { StowageError } from '../errors.ts';
import type { ClassTransformer, ClassTransformers } from './class-transformers.ts';
import {
  constructed,
  readBigint,
  readDate,
  readTypedArray,
  readUrl,
  readUtf16,
} from './extension-payloads.ts';
import { ERROR_CLASSES, EXTENSION, HIDDEN_ERROR_KEYS, type ValueLimits } from './extensions.ts';
import { Malformed } from './faults.ts';
import { MsgpackReader } from './msgpack-reader.ts';
import { type ContainerKind, OpenContainer, setProperty } from './open-container.ts';
import type { DeserializeContext } from './serializer.ts';

/**
 * Reads one value in the dialect of {@link EXTENSION} from bytes that may be hostile.
 *
 * Throws {@link Malformed} for bytes that are no value, and `UNKNOWN_ENCODING` for an instance of a class that is not registered.
 */
export function decodeValue(
  bytes: Uint8Array,
  classes: ClassTransformers,
  limits: ValueLimits,
  context: DeserializeContext,
): unknown {
  return new ValueDecoder(bytes, classes, limits, context).whole();
}

/** Arrays and objects are read by calls that nest up to here. */
const CALLED_DEPTH = 64;

/** The answer of a read that began a container: its items come next. */
const OPENED: unique symbol = Symbol('opened');

/**
 * Reads containers by calls that nest as they do, which is fastest, down to a depth that every process has room for. Deeper ones it
 * holds itself: how deep calls can nest depends on the process, and on what it has compiled so far.
 */
class ValueDecoder {
  private readonly input: MsgpackReader;
  private readonly classes: ClassTransformers;
  private readonly maxDepth: number;
  private readonly context: DeserializeContext;
  private readonly open: OpenContainer[] = [];
  /** The number of containers around what is read next. */
  private depth = 0;

  constructor(
    bytes: Uint8Array,
    classes: ClassTransformers,
    limits: ValueLimits,
    context: DeserializeContext,
  ) {
    this.input = new MsgpackReader(bytes);
    this.classes = classes;
    this.maxDepth = limits.maxDepth;
    this.context = context;
  }

  whole(): unknown {
    const value = this.value();
    this.input.expectEnd();
    return value;
  }

  private value(): unknown {
    const value = this.next();
    return value === OPENED ? this.completed() : value;
  }

  /** The container that was opened last, once all that is inside of it has been read. */
  private completed(): unknown {
    const { open } = this;
    const outside = open.length - 1;
    let value: unknown = OPENED;
    while (open.length > outside) {
      const inner = open[open.length - 1] as OpenContainer;
      if (value !== OPENED) inner.take(value);
      value = this.fill(inner);
      if (value === OPENED) continue;
      open.pop();
      this.depth--;
    }
    return value;
  }

  /** Reads items up to the end of a container, which is the answer then, or up to one that is a container itself. */
  private fill(container: OpenContainer): unknown {
    switch (container.kind) {
      case 'array':
        return this.fillArray(container, container.target as unknown[]);
      case 'object':
        return this.fillObject(container, container.target as Record<string, unknown>);
      case 'error':
        return this.fillError(container, container.target as Error);
      default:
        return this.fillOther(container);
    }
  }

  private fillArray(container: OpenContainer, array: unknown[]): unknown {
    while (container.left > 0) {
      const holes = this.input.skipHoles(container.left);
      if (holes > 0) {
        array.length += holes;
        container.left -= holes;
        continue;
      }
      container.left--;
      const value = this.next();
      if (value === OPENED) return OPENED;
      array.push(value);
    }
    return array;
  }

  private fillObject(container: OpenContainer, object: Record<string, unknown>): unknown {
    while (container.left > 0) {
      container.left--;
      const key = this.key();
      const value = this.next();
      if (value === OPENED) {
        container.held = key;
        return OPENED;
      }
      setProperty(object, key, value);
    }
    return this.closed(container, object);
  }

  private fillError(container: OpenContainer, error: Error): unknown {
    for (;;) {
      while (container.left > 0) {
        container.left--;
        container.held = this.key();
        const value = this.next();
        if (value === OPENED) return OPENED;
        container.take(value);
      }
      if (container.shown) return this.closed(container, error);
      container.shown = true;
      container.left = this.input.mapCount();
    }
  }

  private fillOther(container: OpenContainer): unknown {
    while (container.left > 0) {
      container.left--;
      const value = this.next();
      if (value === OPENED) return OPENED;
      container.take(value);
    }
    const { kind, target, held } = container;
    this.closed(container, target);
    if (kind === 'reference') return this.reference(target as string, held);
    return kind === 'class' ? (target as ClassTransformer).fromValue(held) : target;
  }

  private closed<T>(container: OpenContainer, value: T): T {
    if (container.outerEnd !== undefined) {
      this.input.expectEnd();
      this.input.end = container.outerEnd;
    }
    return value;
  }

  private begin(kind: ContainerKind, target: unknown, left: number, outerEnd?: number): typeof OPENED {
    this.enter();
    this.open.push(new OpenContainer(kind, target, left, outerEnd));
    return OPENED;
  }

  private enter(): void {
    if (this.depth >= this.maxDepth) {
      throw this.input.malformed(
        `nested deeper than ${this.maxDepth} levels`,
        undefined,
        'Raise `maxDepth` of the SerializerRegistry to what its writer had.',
      );
    }
    this.depth++;
  }

  /** The next value, or the beginning of a container that is to be completed. */
  private next(): unknown {
    const { input } = this;
    const head = input.head();
    if (head < 0x80) return head;
    if (head < 0x90) return this.object(head & 0x0f);
    if (head < 0xa0) return this.array(head & 0x0f);
    if (head < 0xc0) return input.string(head & 0x1f);
    if (head >= 0xe0) return head - 0x100;
    switch (head) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return input.take(input.unsigned(1 << (head - 0xc4)));
      case 0xca:
        return input.float32();
      case 0xcb:
        return input.float64();
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return input.unsigned(1 << (head - 0xcc));
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return input.signed(1 << (head - 0xd0));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return input.string(input.unsigned(1 << (head - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.array(input.unsigned(2 << (head - 0xdc)));
      case 0xde:
      case 0xdf:
        return this.object(input.unsigned(2 << (head - 0xde)));
      case 0xc1:
        throw input.malformed('a byte that MessagePack never uses', input.position - 1);
      default:
        return this.extension(input.extensionLength(head));
    }
  }

  // Elements are appended, never allocated by the declared count: nested declarations could promise the same bytes twice.
  private array(count: number): unknown {
    this.input.expect(count, 1);
    const array: unknown[] = [];
    if (this.depth >= CALLED_DEPTH) return this.begin('array', array, count);
    this.enter();
    while (array.length < count) {
      const holes = this.input.skipHoles(count - array.length);
      if (holes > 0) array.length += holes;
      else array.push(this.value());
    }
    this.depth--;
    return array;
  }

  private object(count: number): unknown {
    this.input.expect(count, 2);
    const object: Record<string, unknown> = {};
    if (this.depth >= CALLED_DEPTH) return this.begin('object', object, count);
    this.enter();
    for (let index = 0; index < count; index++) setProperty(object, this.key(), this.value());
    this.depth--;
    return object;
  }

  private key(): string {
    const { input } = this;
    const head = input.head();
    let key: unknown;
    if (head >= 0xa0 && head < 0xc0) key = input.key(head & 0x1f);
    else if (head >= 0xd9 && head <= 0xdb) key = input.key(input.unsigned(1 << (head - 0xd9)));
    else {
      input.position--;
      key = this.next();
    }
    if (typeof key !== 'string') throw input.malformed('a key that is not a string');
    if (key === '__proto__') throw input.malformed('the key `__proto__`');
    return key;
  }

  private extension(length: number): unknown {
    const { input } = this;
    const code = input.head();
    input.expect(length, 1);
    const outerEnd = input.end;
    input.end = input.position + length;
    const value = this.payload(code, length, outerEnd);
    if (value === OPENED) return OPENED;
    this.input.expectEnd();
    input.end = outerEnd;
    return value;
  }

  private payload(code: number, length: number, outerEnd: number): unknown {
    const { input } = this;
    switch (code) {
      case EXTENSION.undefined:
        return undefined;
      case EXTENSION.hole:
        throw input.malformed('a hole outside an array');
      case EXTENSION.date:
        return readDate(input);
      case EXTENSION.bigint:
        return readBigint(input, length);
      case EXTENSION.regexp:
        return this.regexp();
      case EXTENSION.url:
        return readUrl(input, length);
      case EXTENSION.map:
        return this.beginMap(outerEnd);
      case EXTENSION.set:
        return this.begin('set', new Set(), this.input.arrayCount(), outerEnd);
      case EXTENSION.error:
        return this.beginError(outerEnd);
      case EXTENSION.typedArray:
        return readTypedArray(input, length);
      case EXTENSION.arrayBuffer:
        return input.take(length).buffer;
      case EXTENSION.dataView:
        return new DataView(input.take(length).buffer);
      case EXTENSION.utf16:
        return readUtf16(input, length);
      case EXTENSION.nullPrototype:
        return this.beginNullPrototype(outerEnd);
      case EXTENSION.class:
        return this.beginClass(outerEnd);
      case EXTENSION.reference:
        return this.beginReference(outerEnd);
      default:
        throw input.malformed(`an extension of the unknown code ${code}`);
    }
  }

  private regexp(): RegExp {
    this.input.expectItems(3);
    const source = this.text();
    const flags = this.text();
    const lastIndex = this.next();
    if (typeof lastIndex !== 'number') throw this.input.malformed('no number where `lastIndex` must be');
    const regexp = constructed(this.input, 'a regular expression', () => new RegExp(source, flags));
    regexp.lastIndex = lastIndex;
    return regexp;
  }

  private beginNullPrototype(outerEnd: number): typeof OPENED {
    const count = this.input.mapCount();
    this.input.expect(count, 2);
    return this.begin('object', Object.create(null), count, outerEnd);
  }

  private beginMap(outerEnd: number): typeof OPENED {
    const count = this.input.arrayCount();
    if (count % 2 !== 0) throw this.input.malformed('a Map with a key that has no value');
    return this.begin('map', new Map(), count, outerEnd);
  }

  private beginError(outerEnd: number): typeof OPENED {
    this.input.expectItems(3);
    const Class = ERROR_CLASSES.get(this.text());
    if (Class === undefined) throw this.input.malformed('an error of an unknown class');
    const error = Class === (AggregateError as unknown) ? new AggregateError([]) : new Class();
    for (const key of HIDDEN_ERROR_KEYS) Reflect.deleteProperty(error, key);
    return this.begin('error', error, this.input.mapCount(), outerEnd);
  }

  private beginClass(outerEnd: number): typeof OPENED {
    this.input.expectItems(2);
    const name = this.text();
    const transformer = this.classes.named(name);
    if (transformer === undefined) {
      throw new StowageError(
        'UNKNOWN_ENCODING',
        `Artifact "${this.context.artifactName}" holds an instance of the class "${name}", which is not registered here: call \`registerClass({ name: ${JSON.stringify(name)}, class, toValue, fromValue })\` before loading it.`,
        { details: { artifact: this.context.artifactName, class: name } },
      );
    }
    return this.begin('class', transformer, 1, outerEnd);
  }

  private beginReference(outerEnd: number): typeof OPENED {
    this.input.expectItems(2);
    return this.begin('reference', this.text(), 1, outerEnd);
  }

  private reference(kind: string, members: unknown): object {
    const { artifactName, reference } = this.context;
    if (reference) return reference(kind, members);
    throw new StowageError(
      'UNKNOWN_ENCODING',
      `Artifact "${artifactName}" holds a reference of the kind "${kind}", whose content only its store knows: load it by the task that saved it.`,
      { details: { artifact: artifactName, reference: kind } },
    );
  }

  /** A string, in either form. */
  private text(): string {
    const value = this.next();
    if (typeof value !== 'string') throw this.input.malformed('something else where a string must be');
    return value;
  }
}
