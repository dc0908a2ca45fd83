import { countOf, formatCount } from '../../options/figures.ts';
import { formatPath, type PathStep } from '../../values/value-path.ts';
import {
  bytesOf,
  isNumberArray,
  isPlainObject,
  isTypedArray,
  kindOf,
} from '../../views/values/value-kind.ts';
import { Aligner, commonItems, type Gap, MAX_EDITS } from './alignment.ts';
import type { Changes } from './changes.ts';
import { byteDiffText, diffBytes, diffNumbers, numberDiffText } from './number-diff.ts';
import type { ValueIds } from './value-ids.ts';

/** Lists of numbers with more of them added and removed are told by how many differ, and how far. */
const MAX_LISTED_NUMBERS = 20;
/** Members that tell which thing an object is about. */
const IDENTITIES = ['id', 'key', 'name'];
/** So many items of a list are looked at to tell how alike it is to another. */
const MAX_LOOKED = 100;
/** Texts shorter than this are alike only if they are equal. */
const LEAST_TEXT = 12;

/** Finds what changed inside of a value, and names it by its path. Lists are laid side by side, rather than compared by index. */
export class StructureDiff {
  readonly #changes: Changes;
  readonly #ids: ValueIds;
  readonly #aligner = new Aligner();

  constructor(changes: Changes, ids: ValueIds) {
    this.#changes = changes;
    this.#ids = ids;
  }

  compare(a: unknown, b: unknown, path = ''): void {
    if (this.#ids.of(a) === this.#ids.of(b)) return;
    const [membersOfA, membersOfB] = [membersOf(a), membersOf(b)];
    if (membersOfA && membersOfB) this.#members(membersOfA, membersOfB, path);
    else if (Array.isArray(a) && Array.isArray(b)) this.#lists(a, b, path);
    else if (a instanceof Map && b instanceof Map) this.#maps(a, b, path);
    else if (a instanceof Set && b instanceof Set) this.#sets(a, b, path);
    else this.#changes.add({ path, change: 'changed', a, b, ...noteOf(a, b) });
  }

  #members(a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>, path: string): void {
    for (const name of new Set([...Object.keys(a), ...Object.keys(b)])) {
      const at = below(path, name);
      if (!Object.hasOwn(b, name)) this.#changes.add({ path: at, change: 'removed', a: a[name] });
      else if (!Object.hasOwn(a, name)) this.#changes.add({ path: at, change: 'added', b: b[name] });
      else this.compare(a[name], b[name], at);
    }
  }

  #maps(a: ReadonlyMap<unknown, unknown>, b: ReadonlyMap<unknown, unknown>, path: string): void {
    const others = new Map([...b].map((entry, index) => [this.#ids.of(entry[0]), { entry, index }]));
    let index = 0;
    for (const [key, value] of a) {
      const at = below(path, { in: 'map-values', index, key });
      index += 1;
      const other = others.get(this.#ids.of(key));
      others.delete(this.#ids.of(key));
      if (other) this.compare(value, other.entry[1], at);
      else this.#changes.add({ path: at, change: 'removed', a: value });
    }
    for (const { entry, index } of others.values()) {
      const at = below(path, { in: 'map-values', index, key: entry[0] });
      this.#changes.add({ path: at, change: 'added', b: entry[1] });
    }
  }

  #sets(a: ReadonlySet<unknown>, b: ReadonlySet<unknown>, path: string): void {
    const [idsOfA, idsOfB] = [a, b].map((set) => new Set(this.#ids.ofAll([...set])));
    for (const item of a)
      if (!idsOfB?.has(this.#ids.of(item))) this.#changes.add({ path, change: 'removed', a: item });
    for (const item of b)
      if (!idsOfA?.has(this.#ids.of(item))) this.#changes.add({ path, change: 'added', b: item });
  }

  #lists(a: readonly unknown[], b: readonly unknown[], path: string): void {
    const areNumbers = isNumberArray(a) && isNumberArray(b);
    const [idsOfA, idsOfB] = [this.#ids.ofAll(a), this.#ids.ofAll(b)];
    const gaps = this.#aligner.align(idsOfA, idsOfB, areNumbers ? MAX_LISTED_NUMBERS : MAX_EDITS);
    if (gaps) {
      for (const gap of gaps) this.#gap(a, b, path, gap);
    } else if (areNumbers) {
      this.#changes.add({ path, change: 'changed', a, b, note: numberDiffText(diffNumbers(a, b)) });
    } else if (this.#areAlikeByIndex(a, b)) {
      for (const [index, item] of a.entries()) this.compare(item, b[index], below(path, index));
    } else {
      const sizes = `${formatCount(a.length)} -> ${countOf(b.length, 'item')}`;
      const note = `${sizes}, ${formatCount(commonItems(idsOfA, idsOfB))} in both; too different to align`;
      this.#changes.add({ path, change: 'changed', a, b, note });
    }
  }

  #gap(a: readonly unknown[], b: readonly unknown[], path: string, gap: Gap): void {
    this.#aligner.walk(gap, (i, j) => this.#likeness(a[i], b[j]), {
      removed: (i) => this.#changes.add({ path: below(path, i), change: 'removed', a: a[i] }),
      added: (j) => this.#changes.add({ path: below(path, j), change: 'added', b: b[j] }),
      paired: (i, j) => this.compare(a[i], b[j], below(path, j)),
    });
  }

  /** From 0, nothing alike, to 1. */
  #likeness(a: unknown, b: unknown): number {
    if (typeof a === 'string' && typeof b === 'string') return likenessOfTexts(a, b);
    if (Array.isArray(a) && Array.isArray(b)) {
      const looked = Math.min(MAX_LOOKED, Math.max(a.length, b.length, 1));
      const same = a.slice(0, looked).filter((item, index) => this.#ids.of(item) === this.#ids.of(b[index]));
      return same.length / looked;
    }
    if (!isPlainObject(a) || !isPlainObject(b)) return 0;
    const identity = IDENTITIES.find((name) => Object.hasOwn(a, name) && Object.hasOwn(b, name));
    if (identity !== undefined) return this.#ids.of(a[identity]) === this.#ids.of(b[identity]) ? 1 : 0;
    const names = Object.keys(a);
    const same = names.filter(
      (name) => Object.hasOwn(b, name) && this.#ids.of(a[name]) === this.#ids.of(b[name]),
    );
    // Objects of the same few members are alike, although all of these changed.
    const shared = names.filter((name) => Object.hasOwn(b, name)).length;
    const size = Math.max(names.length, Object.keys(b).length, 1);
    return (same.length + shared / 4) / (size * 1.25);
  }

  /** True if most of some items are alike with those at their place in the other list. */
  #areAlikeByIndex(a: readonly unknown[], b: readonly unknown[]): boolean {
    if (a.length !== b.length) return false;
    const step = Math.max(1, Math.floor(a.length / 50));
    let [looked, alike] = [0, 0];
    for (let index = 0; index < a.length; index += step) {
      looked += 1;
      if (this.#ids.of(a[index]) === this.#ids.of(b[index]) || this.#likeness(a[index], b[index]) >= 0.5)
        alike += 1;
    }
    return alike * 2 > looked;
  }
}

/** The path of a part, from the value on. */
function below(path: string, step: PathStep): string {
  return formatPath(path, [step]).replace(/^\./, '');
}

/** Tells the change of a value that has no parts with names, but is too much to show. */
function noteOf(a: unknown, b: unknown): { note?: string } {
  const [bytesOfA, bytesOfB] = [bytesOf(a), bytesOf(b)];
  if (bytesOfA && bytesOfB) return { note: byteDiffText(diffBytes(bytesOfA, bytesOfB)) };
  if (!isTypedArray(a) || !isTypedArray(b)) return {};
  const types = kindOf(a) === kindOf(b) ? '' : `; ${kindOf(a)} -> ${kindOf(b)}`;
  return { note: numberDiffText(diffNumbers(a, b)) + types };
}

/** An error's own properties are no enumerable ones. */
function membersOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (isPlainObject(value)) return value;
  if (!(value instanceof Error)) return undefined;
  const names = Object.getOwnPropertyNames(value);
  return Object.fromEntries(names.map((name) => [name, value[name as keyof Error]]));
}

function likenessOfTexts(a: string, b: string): number {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  if (short.length < LEAST_TEXT) return 0;
  let head = 0;
  while (head < short.length && short[head] === long[head]) head += 1;
  let tail = 0;
  while (tail < short.length - head && short.at(-1 - tail) === long.at(-1 - tail)) tail += 1;
  return (head + tail) / long.length;
}
