import { setMaxListeners } from 'node:events';

const linksOf = new WeakMap<AbortSignal, Set<LinkedAbort>>();

/**
 * The signal of one call: aborted by itself, or with the signal that the caller gave. However many calls share the
 * caller's signal it has one listener (Node.js warns from eleven on, and `AbortSignal.any` keeps memory for as long as
 * its source lives). To be released when the call has ended.
 */
export class LinkedAbort {
  readonly #own = new AbortController();
  readonly #source: AbortSignal | undefined;

  constructor(source: AbortSignal | undefined) {
    this.#source = source;
    setMaxListeners(0, this.#own.signal);
    if (source?.aborted) this.#own.abort(source.reason);
    else if (source) linksOfSource(source).add(this);
  }

  get signal(): AbortSignal {
    return this.#own.signal;
  }

  abort(reason?: unknown): void {
    this.#own.abort(reason);
  }

  release(): void {
    if (this.#source) linksOf.get(this.#source)?.delete(this);
  }
}

function linksOfSource(source: AbortSignal): Set<LinkedAbort> {
  const known = linksOf.get(source);
  if (known) return known;
  const links = new Set<LinkedAbort>();
  linksOf.set(source, links);
  source.addEventListener(
    'abort',
    () =>
      links.forEach((link) => {
        link.abort(source.reason);
      }),
    { once: true },
  );
  return links;
}
