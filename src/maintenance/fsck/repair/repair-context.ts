import type { ContentAddressedStore } from '../../../content-addressed-store.ts';
import { isStowageError, type StowageError } from '../../../errors.ts';
import type { ContentKey } from '../../../format/content-names.ts';
import { HERE } from '../../../format/content-ref.ts';
import type { Staging } from '../../../sessions/staging.ts';
import type { CallOptions } from '../../../storage/contract.ts';

/** A store from which a repair takes what is whole there. It is only read, and everything in it is checked. */
export interface SourceStore {
  readonly store: ContentAddressedStore;
  readonly id: string;
  /** Its address, for people. */
  readonly uri: string;
}

/** The state that the parts of one repair share. */
export interface RepairContext {
  readonly target: ContentAddressedStore;
  readonly targetId: string;
  readonly others: readonly SourceStore[];
  /** The sessions under which content is written. */
  readonly staging: Staging;
  readonly erased: ErasedContents;
  /** Nothing is changed. */
  readonly dryRun: boolean;
  readonly options: CallOptions;
}

/** What is wrong with one source, after which another one may serve. */
const FAULTS = [
  'CONTENT_DAMAGED',
  'CONTENT_NOT_FOUND',
  'CONTENT_TOO_LARGE',
  'RECORD_DAMAGED',
  'UNSUPPORTED_FORMAT',
  'OBJECT_TOO_LARGE',
  'PLACE_NOT_FOUND',
  'PLACE_NOT_OURS',
  'PLACE_NOT_TRUSTED',
  'PLACE_UNREACHABLE',
] as const;

export function isFaultOfSource(error: unknown): error is StowageError {
  return isStowageError(error, ...FAULTS);
}

/** The ids of all places of a store where content may lie, the store itself first. */
export async function placesOf(
  { otherPlaces }: Pick<ContentAddressedStore, 'otherPlaces'>,
  options: CallOptions,
): Promise<string[]> {
  return [HERE, ...(await otherPlaces.list(options)).map(({ id }) => id)];
}

/** Where an erasure says, for good, which contents it erased: `erasures/<key>.<erasure>.json`. */
const ERASURES = 'erasures/';

/** Tells whether a content was erased, or is about to be: then nothing of it is brought back. */
export class ErasedContents {
  readonly #context: Pick<RepairContext, 'target' | 'options'>;
  #isAny: Promise<boolean> | undefined;

  constructor(context: Pick<RepairContext, 'target' | 'options'>) {
    this.#context = context;
  }

  /** One LIST of a store where something was erased. */
  async has(key: ContentKey): Promise<boolean> {
    this.#isAny ??= this.#begins(ERASURES);
    return (await this.#isAny) && this.#begins(`${ERASURES}${key}.`);
  }

  async #begins(prefix: string): Promise<boolean> {
    const { target, options } = this.#context;
    for await (const page of target.storage.list({ prefix, limit: 1, ...options }))
      if (page.objects.length > 0) return true;
    return false;
  }
}
