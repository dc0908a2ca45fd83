import { invalidArgument } from '../../errors.ts';
import { type ContentKey, isContentKey } from '../../format/content-names.ts';
import { HERE } from '../../format/content-ref.ts';
import { isPlaceId } from '../../format/place-records.ts';
import { compareNames } from '../../storage/name-order.ts';

/** Where contents are read whole, in the order in which a check comes to them. */
const WHOLE_LAYERS = ['attempts', 'content'] as const;
type WholeLayer = (typeof WHOLE_LAYERS)[number];

/** The choice of which contents are read whole. */
export interface ReadingChoice {
  /** The part of all keys, from 0 (none) to 1 (all). */
  sample: number;
  /** The number of the part, from 0: those that follow each other lie side by side, and come round to the first. */
  seed: number;
  /** How far an earlier check came: what it read is not read again. */
  resume: string | undefined;
}

/** The first digits of a key that place it among all keys. */
const DIGITS = 12;
const KEYS = 16 ** DIGITS;

/** Tells which contents a check reads whole, and how far it has come. */
export class Reading {
  readonly #sample: number;
  /** The first key that is read, and the first that is not any more, which lies before it where the part goes round. */
  readonly #from: number;
  readonly #to: number;
  readonly #done: Position | undefined;
  #position: Position | undefined;

  /** @throws StowageError `INVALID_ARGUMENT` for a cursor that none is */
  constructor({ sample, seed, resume }: ReadingChoice) {
    this.#sample = sample;
    this.#from = Math.floor(seed * sample * KEYS) % KEYS;
    this.#to = Math.floor((seed + 1) * sample * KEYS) % KEYS;
    this.#done = resume === undefined ? undefined : positionOf(resume);
    this.#position = this.#done;
  }

  /** The text by which another check goes on from here; `undefined` before the first content was read. */
  get cursor(): string | undefined {
    return this.#position && textOf(this.#position);
  }

  /** True if a content is among those that are read whole. */
  isChosen(key: ContentKey): boolean {
    if (this.#sample >= 1) return true;
    const at = Number.parseInt(key.slice(0, DIGITS), 16);
    const [isBehind, isBefore] = [at >= this.#from, at < this.#to];
    return this.#from <= this.#to ? isBehind && isBefore : isBehind || isBefore;
  }

  /** True if an earlier check came past this name. */
  isDone(layer: WholeLayer, place: string, name: string): boolean {
    return this.#done !== undefined && compare({ layer, place, name }, this.#done) <= 0;
  }

  /** All up to this name is read. */
  passed(layer: WholeLayer, place: string, name: string): void {
    const at = { layer, place, name };
    if (!this.#position || compare(at, this.#position) > 0) this.#position = at;
  }
}

interface Position {
  layer: WholeLayer;
  place: string;
  name: string;
}

function compare(a: Position, b: Position): number {
  const layers = WHOLE_LAYERS.indexOf(a.layer) - WHOLE_LAYERS.indexOf(b.layer);
  return layers || compareNames(a.place, b.place) || compareNames(a.name, b.name);
}

function textOf({ layer, place, name }: Position): string {
  return place === HERE ? `${layer}:${name}` : `${layer}@${place}:${name}`;
}

function positionOf(text: string): Position {
  const [, layer, place = HERE, name = ''] = /^(\w+)(?:@(\w+))?:(.*)$/s.exec(text) ?? [];
  const isLayer = WHOLE_LAYERS.includes(layer as WholeLayer);
  if (isLayer && (place === HERE || isPlaceId(place)) && (layer === 'attempts' || isContentKey(name)))
    return { layer: layer as WholeLayer, place, name };
  throw invalidArgument(
    `${JSON.stringify(text.slice(0, 200))} is no place at which a check goes on; pass the cursor that the progress of a check told.`,
  );
}
