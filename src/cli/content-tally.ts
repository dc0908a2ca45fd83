import { HERE } from '../format/content-ref.ts';
import type { ArtifactEntry } from '../format/description.ts';
import type { StoredContent } from '../format/stored-content.ts';
import type { ContentObjectsFinder } from './content-objects.ts';

/** What there is below a path, and what it takes up, in `--json`. */
export interface StatJson {
  runs: number;
  tasks: number;
  attempts: number;
  artifacts: number;
  /** Different contents that artifacts refer to, inline values not among them; what lies at two places counts at each. */
  contents: number;
  /** Of these, the large ones that could not be looked at, and are counted by what their records say. */
  unseenContents: number;
  /** Serialized bytes of all artifacts, each time one was saved. */
  bytes: number;
  /** What is left of them once equal contents, and equal parts of large ones, count once. */
  uniqueBytes: number;
  /** What is stored of that: compressed, and the inline values. */
  storedBytes: number;
  /** The part of `storedBytes` that inline values are, each time one was saved. */
  inlineBytes: number;
  /** `bytes / uniqueBytes`; `null` where there is nothing. */
  dedupRatio: number | null;
  /** `uniqueBytes / storedBytes`; `null` where there is nothing. */
  compressionRatio: number | null;
  /** `storedBytes / bytes`; `null` where there is nothing. */
  storedRatio: number | null;
}

/** What is being counted: a run, a task of it, or an attempt of that. */
export interface Place {
  run: string;
  task?: string;
  attempt?: number;
}

/**
 * Counts artifacts, and what they take up. What contents share is known by the objects they lie in, of which each counts once;
 * but such an object (a pack) may hold much that is not counted here, so that a content never counts more than it takes alone.
 */
export class ContentTally {
  readonly #finder: ContentObjectsFinder;
  readonly #keys = new Set<string>();
  readonly #objects = new Map<string, number>();
  readonly #counts = { runs: 0, tasks: 0, attempts: 0, artifacts: 0 };
  #last: Place | undefined;
  #bytes = 0;
  #inlineBytes = 0;
  /** Of different contents: what they are, and what each takes up alone. */
  #contentBytes = 0;
  #aloneBytes = 0;
  #unseenContents = 0;

  /** All tallies of a command share one finder. */
  constructor(finder: ContentObjectsFinder) {
    this.#finder = finder;
  }

  /** Counts a run, task or attempt, once: they are visited in order. */
  visit(place: Place): void {
    const { run, task, attempt } = this.#last ?? {};
    const isNewRun = place.run !== run;
    const isNewTask = isNewRun || place.task !== task;
    if (isNewRun) this.#counts.runs += 1;
    if (isNewTask && place.task !== undefined) this.#counts.tasks += 1;
    if ((isNewTask || place.attempt !== attempt) && place.attempt !== undefined) this.#counts.attempts += 1;
    this.#last = place;
  }

  /** Counts an artifact; what retention gave up takes no space and has no size. */
  async addArtifact({ key, bytes, content }: ArtifactEntry, isPurged: boolean): Promise<void> {
    this.#counts.artifacts += 1;
    if (content && isPurged) return;
    this.#bytes += bytes;
    if (content) await this.#addContent(key, bytes, content);
    else this.#inlineBytes += bytes;
  }

  json(): StatJson {
    const bytes = this.#bytes;
    let objectBytes = 0;
    for (const length of this.#objects.values()) objectBytes += length;
    const contentStoredBytes = Math.min(objectBytes, this.#aloneBytes);
    const storedBytes = contentStoredBytes + this.#inlineBytes;
    const shared = this.#aloneBytes === 0 ? 1 : contentStoredBytes / this.#aloneBytes;
    const uniqueBytes = Math.round(this.#contentBytes * shared) + this.#inlineBytes;
    return {
      ...this.#counts,
      contents: this.#keys.size,
      unseenContents: this.#unseenContents,
      bytes,
      uniqueBytes,
      storedBytes,
      inlineBytes: this.#inlineBytes,
      dedupRatio: ratio(bytes, uniqueBytes),
      compressionRatio: ratio(uniqueBytes, storedBytes),
      storedRatio: ratio(storedBytes, bytes),
    };
  }

  async #addContent(key: string, bytes: number, content: StoredContent): Promise<void> {
    // What lies at two places is stored twice.
    const id = `${content.place ?? HERE}/${key}`;
    if (this.#keys.has(id)) return;
    this.#keys.add(id);
    this.#contentBytes += bytes;
    this.#aloneBytes += content.storedBytes;
    const { sizes, isSeen } = await this.#finder.objectsOf(content);
    if (!isSeen) this.#unseenContents += 1;
    for (const [name, length] of sizes) this.#objects.set(`${content.place ?? HERE}/${name}`, length);
  }
}

function ratio(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}
