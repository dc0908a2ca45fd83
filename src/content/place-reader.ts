import { isStowageError } from '../errors.ts';
import type { ContentAddress } from '../format/stored-content.ts';
import type { CallOptions } from '../storage/contract.ts';
import { ContentReader, type ReadOptions } from './content-reader.ts';
import type { Place, Places } from './places.ts';

/** Reads contents at another place. Where one is missing it asks whether the place itself is. */
export class PlaceReader extends ContentReader {
  readonly #at: Place;
  readonly #places: Places;

  constructor(place: Place, places: Places) {
    super(place.storage, place.id);
    this.#at = place;
    this.#places = places;
  }

  override async *stream(address: ContentAddress, options: ReadOptions = {}): AsyncGenerator<Uint8Array> {
    try {
      yield* super.stream(address, options);
    } catch (error) {
      if (isStowageError(error, 'CONTENT_NOT_FOUND')) await this.checkPlace(options);
      throw error;
    }
  }

  /** @throws StowageError `PLACE_NOT_FOUND`, `PLACE_NOT_OURS` */
  override checkPlace(options: CallOptions): Promise<void> {
    return this.#places.checkOwner(this.#at, options);
  }
}
