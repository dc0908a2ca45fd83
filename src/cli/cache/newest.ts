/** Keeps the newest of many, in memory for twice as many at most. */
export class Newest<T> {
  readonly #limit: number;
  #kept: { item: T; atMs: number }[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(item: T, atMs: number): void {
    this.#kept.push({ item, atMs });
    if (this.#kept.length >= 2 * this.#limit) this.#cut();
  }

  /** Newest first. */
  items(): T[] {
    this.#cut();
    return this.#kept.map(({ item }) => item);
  }

  #cut(): void {
    this.#kept.sort((a, b) => b.atMs - a.atMs);
    if (this.#kept.length > this.#limit) this.#kept.length = this.#limit;
  }
}
