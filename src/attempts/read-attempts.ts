import { invalidArgument } from '../errors.ts';

/** An attempt may record so many attempts that it rests on. */
const MAX_READ_ATTEMPTS = 50_000;

/** The attempts that the results of another one rest on, by their pathspecs. */
export class ReadAttempts {
  readonly #pathspecs = new Set<string>();

  /** In the order in which they were read first. */
  get pathspecs(): string[] {
    return [...this.#pathspecs];
  }

  /** @throws StowageError `INVALID_ARGUMENT` where there are 50,000 of them */
  add(pathspec: string): void {
    if (this.#pathspecs.size >= MAX_READ_ATTEMPTS) {
      throw invalidArgument(
        `An attempt records at most ${MAX_READ_ATTEMPTS} attempts that it rests on; save a longer list as an artifact.`,
      );
    }
    this.#pathspecs.add(pathspec);
  }

  /** Takes over those of another attempt as a whole, which was bounded by itself. */
  adopt(pathspecs: Iterable<string>): void {
    for (const pathspec of pathspecs) this.#pathspecs.add(pathspec);
  }
}
