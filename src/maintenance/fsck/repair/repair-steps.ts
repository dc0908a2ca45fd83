import type { Concern, Finding, Layer, Problem } from '../finding.ts';

/** One thing that a repair did, or in a dry run would do, or could not. Plain data: `JSON.stringify` tells all of it. */
export type RepairStep = MendedStep | LostStep | LeftStep;

/** Something was mended. */
export interface MendedStep {
  readonly outcome: 'mended';
  /**
   * - `restored`: the content stands whole in a new copy, or the record in the very bytes that were lost
   * - `rewritten`: the record says the same in other bytes, from the copy of its session in another store
   * - `marked`: the object is not whole, and marked as that; what it holds can be read, or nothing names it
   * - `deleted`: it was of no use, and costs time at most
   */
  readonly how: 'restored' | 'rewritten' | 'marked' | 'deleted';
  readonly layer: Layer;
  /** Where the object lies: `''` is the store itself, else the id of another place. */
  readonly place: string;
  /** The object that was not as it should be. */
  readonly object: string;
  /** The content, where one was restored. */
  readonly key?: string;
  /** The address of the store that had it; the store itself, where it could be put together from what is left there. */
  readonly from?: string;
}

/** Something was saved that cannot be read any more. */
export interface LostStep extends Concern {
  readonly outcome: 'lost';
  /** The content. Absent where it is a record that is lost. */
  readonly key?: string;
  /** The object at fault. */
  readonly object: string;
  readonly place: string;
  readonly why: string;
}

/** A fault that stays as it is, and by which nothing is known to be lost. */
export interface LeftStep {
  readonly outcome: 'left';
  readonly layer: Layer;
  readonly problem: Problem;
  readonly place: string;
  readonly object: string;
  readonly why: string;
}

/** The members of a step that its finding tells. */
export function about({ layer, place, object }: Finding): Pick<MendedStep, 'layer' | 'place' | 'object'> {
  return { layer, place, object };
}
