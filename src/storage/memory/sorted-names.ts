import { compareNames } from '../name-order.ts';

/** A block of more names is divided in two: what moves when one is put into it takes no longer than finding its place. */
const MAX_BLOCK = 1_024;

/**
 * A set of names in their order. To add one takes the same time however many there are: it is sorted in when names are asked for next,
 * among blocks of a bounded length, so that adding and asking by turns is not quadratic either.
 */
export class SortedNames {
  /** In order, none of them empty. */
  readonly #blocks: string[][] = [];
  readonly #added = new Set<string>();

  /** Adds a name that is not there. */
  add(name: string): void {
    this.#added.add(name);
  }

  delete(name: string): void {
    if (this.#added.delete(name)) return;
    const index = this.#blockOf(name);
    const block = this.#blocks[index];
    const at = block ? firstIndex(block, name) : 0;
    if (block?.[at] !== name) return;
    block.splice(at, 1);
    if (block.length === 0) this.#blocks.splice(index, 1);
  }

  /** Some of the names from `first` on, in order, without gaps: at least one, if there is any. */
  from(first: string): readonly string[] {
    for (const name of [...this.#added].sort(compareNames)) this.#insert(name);
    this.#added.clear();
    const index = this.#blockOf(first);
    const block = this.#blocks[index] ?? [];
    const found = block.slice(firstIndex(block, first));
    return found.length > 0 ? found : (this.#blocks[index + 1] ?? []).slice();
  }

  #insert(name: string): void {
    const index = this.#blockOf(name);
    const block = this.#blocks[index];
    if (!block) {
      this.#blocks.push([name]);
      return;
    }
    block.splice(firstIndex(block, name), 0, name);
    if (block.length > MAX_BLOCK) this.#blocks.splice(index + 1, 0, block.splice(MAX_BLOCK / 2));
  }

  /** The index of the block in which a name is, or belongs. */
  #blockOf(name: string): number {
    let low = 0;
    let high = this.#blocks.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (compareNames(this.#blocks[middle]?.[0] as string, name) <= 0) low = middle;
      else high = middle;
    }
    return low;
  }
}

/** The index of the first name that is not before `name`. */
function firstIndex(names: readonly string[], name: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareNames(names[middle] as string, name) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
