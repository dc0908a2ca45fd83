/** The pages that hold the rows from `from` to before `to`, by the number of each. */
export function pagesOf(from: number, to: number, pageRows: number): number[] {
  const pages: number[] = [];
  for (let page = Math.floor(from / pageRows); page * pageRows < to; page++) pages.push(page);
  return pages;
}

/** Pages that were read: of many the ones that were used last. */
export class RowPages<T> {
  readonly #pages = new Map<number, readonly T[]>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get(page: number): readonly T[] | undefined {
    const rows = this.#pages.get(page);
    if (rows !== undefined) this.set(page, rows);
    return rows;
  }

  set(page: number, rows: readonly T[]): void {
    this.#pages.delete(page);
    this.#pages.set(page, rows);
    for (const oldest of this.#pages.keys()) {
      if (this.#pages.size <= this.#max) break;
      this.#pages.delete(oldest);
    }
  }

  get size(): number {
    return this.#pages.size;
  }
}
