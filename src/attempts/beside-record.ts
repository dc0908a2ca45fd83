import type { ContentStore } from '../content/content-store.ts';
import { createOwn } from '../format/create-own.ts';
import type { ArtifactEntry } from '../format/description.ts';
import type { TaskPath } from '../format/pathspec.ts';
import type { SessionId } from '../format/session-id.ts';
import type { Session } from '../sessions/session.ts';
import type { CallOptions, DataStoreStorage } from '../storage/contract.ts';
import type { SerializedArtifact } from '../values/serializer.ts';
import { SavedForm } from './artifact-input.ts';
import { ArtifactStaging, type ValueSettings } from './artifact-staging.ts';
import { InlineBudget } from './inline-value.ts';

/**
 * Values up to so many bytes lie in the record itself: it is an object of its own, so that they cost no further request, where a content of their own
 * would take four.
 */
export const MAX_BESIDE_BYTES: number = 64 * 1024;

/** A record that an open attempt writes beside its description, at once: a trace, a checkpoint. */
export class BesideRecord {
  readonly path: TaskPath;
  readonly attempt: number;
  readonly #storage: DataStoreStorage;
  readonly #settings: ValueSettings;
  readonly #session: Session;
  readonly #address: string | undefined;

  /** @param address - of the place that content goes to; without it the store itself */
  constructor(
    settings: ValueSettings & { content: Pick<ContentStore, 'storage'> },
    path: TaskPath,
    attempt: number,
    session: Session,
    address: string | undefined,
  ) {
    this.path = path;
    this.attempt = attempt;
    this.#storage = settings.content.storage;
    this.#settings = settings;
    this.#session = session;
    this.#address = address;
  }

  get session(): SessionId {
    return this.#session.id;
  }

  /**
   * Stores values, each as a row: inline, or as content of the attempt's session by the writer's protocol. What they refer to is relied on.
   *
   * @throws StowageError `CONTENT_NOT_FOUND` for a value that refers to what is not in the store
   */
  async rows(
    values: readonly { name: string; serialized: SerializedArtifact }[],
    options: CallOptions,
  ): Promise<ArtifactEntry[]> {
    // Shared content, however small: values of an attempt's own go with its description.
    const settings = { ...this.#settings, ownBytes: 0 };
    const budget = new InlineBudget(MAX_BESIDE_BYTES);
    const staging = new ArtifactStaging(settings, budget, this.#session, options, undefined);
    await staging.addAll(
      values.map(({ name, serialized }) => {
        return { name, value: new SavedForm(serialized), options: {}, address: this.#address };
      }),
    );
    return staging.rows.map(({ entry }) => entry);
  }

  /** Creates the record. It is durable when the promise resolves, with all content that its rows name. */
  async create(
    name: string,
    record: Uint8Array,
    rows: readonly ArtifactEntry[],
    options: CallOptions,
  ): Promise<void> {
    if (rows.some(({ content }) => content?.place !== undefined))
      await this.#session.persistElsewhere(options);
    await createOwn(this.#storage, name, record, { durability: 'barrier', ...options });
  }
}
