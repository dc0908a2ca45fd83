import { parseCopyName } from '../content/object-names.ts';
import type { StoredContent } from '../content/stored-content.ts';
import { isStowageError } from '../errors.ts';
import type { AttemptView } from './attempt-view.ts';
import type { Invocation } from './invocation.ts';
import type { OpenStore } from './store.ts';

/** What there is below a path, and what it takes up, in `--json`. */
export interface StatJson {
  runs: number;
  tasks: number;
  attempts: number;
  artifacts: number;
  /** Different contents that artifacts refer to, inline values not among them. */
  contents: number;
  /** Serialized bytes of all artifacts, each time one was saved. */
  bytes: number;
  /** What is stored of them: each content once, compressed, and the inline values. */
  storedBytes: number;
  /** The part of `storedBytes` that inline values are, each time one was saved. */
  inlineBytes: number;
  /** `storedBytes / bytes`; `null` where there is nothing. */
  storedRatio: number | null;
}

/** The objects that a content lies in, with their lengths. */
type ObjectSizes = ReadonlyMap<string, number>;

/** Counts what attempts refer to, every object of the store once. */
export class ContentTally {
  readonly #store: OpenStore;
  readonly #invocation: Invocation;
  /** What the contents seen so far lie in, shared by all tallies of a command. */
  readonly #objectsByKey: Map<string, Promise<ObjectSizes>>;
  readonly #keys = new Set<string>();
  readonly #objects = new Map<string, number>();
  readonly #counts = { runs: 0, tasks: 0, attempts: 0, artifacts: 0 };
  #bytes = 0;
  #inlineBytes = 0;

  constructor(store: OpenStore, invocation: Invocation, related?: ContentTally) {
    this.#store = store;
    this.#invocation = invocation;
    this.#objectsByKey = related ? related.#objectsByKey : new Map();
  }

  addRun(): void {
    this.#counts.runs += 1;
  }

  addTask(): void {
    this.#counts.tasks += 1;
  }

  /** Counts an attempt; what retention gave up takes no space and has no size. */
  async addAttempt({ entries = [], purged }: AttemptView): Promise<void> {
    this.#counts.attempts += 1;
    for (const { key, bytes, content } of entries) {
      this.#counts.artifacts += 1;
      if (content && purged) continue;
      this.#bytes += bytes;
      if (content) await this.#addContent(key, content);
      else this.#inlineBytes += bytes;
    }
  }

  json(): StatJson {
    const bytes = this.#bytes;
    let storedBytes = this.#inlineBytes;
    for (const length of this.#objects.values()) storedBytes += length;
    return {
      ...this.#counts,
      contents: this.#keys.size,
      bytes,
      storedBytes,
      inlineBytes: this.#inlineBytes,
      storedRatio: bytes === 0 ? null : storedBytes / bytes,
    };
  }

  async #addContent(key: string, content: StoredContent): Promise<void> {
    if (this.#keys.has(key)) return;
    this.#keys.add(key);
    let objects = this.#objectsByKey.get(key);
    if (!objects) {
      objects = this.#objectsOf(content);
      this.#objectsByKey.set(key, objects);
    }
    for (const [name, bytes] of await objects) this.#objects.set(name, bytes);
  }

  /** A small content is one object. A large one is a manifest and packs, which it may share with others. */
  async #objectsOf({ copy, storedBytes }: StoredContent): Promise<ObjectSizes> {
    const parsed = parseCopyName(copy);
    if (parsed?.folder !== 'manifests') return new Map([[copy, storedBytes]]);
    try {
      const described = await this.#store.content.reader.describeCopy(copy, this.#invocation);
      if (!described) return new Map([[copy, storedBytes]]);
      const sizes = new Map([[copy, parsed.bytes]]);
      for (const { name, bytes } of described.packs) sizes.set(name, bytes);
      if (described.plain !== undefined) sizes.set(described.plain, described.stored.bytes);
      return sizes;
    } catch (error) {
      if (!isStowageError(error, 'CONTENT_DAMAGED')) throw error;
      this.#invocation.failed(error);
      return new Map([[copy, storedBytes]]);
    }
  }
}
