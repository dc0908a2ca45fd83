import { isInstance, StowageError, thrownText } from '../errors.ts';
import { shownPath } from './value-path.ts';

/** Tells why a part of a value cannot be saved. The walk over the value knows the path, and makes the user's error of it. */
export class Refusal extends Error {
  /** The part, in words that follow "`path` is". */
  readonly what: string;
  /** The remedy, as a sentence. */
  readonly remedy: string;

  constructor(what: string, remedy: string, cause?: unknown) {
    super(what, { cause });
    this.what = what;
    this.remedy = remedy;
  }
}

/** Tells why bytes are not a value. */
export class Malformed extends Error {
  /** The remedy, as a sentence, where it is not that of damaged bytes. */
  readonly remedy: string | undefined;

  constructor(what: string, options: { cause?: unknown; remedy?: string | undefined } = {}) {
    super(what, { cause: options.cause });
    this.remedy = options.remedy;
  }
}

/** Something that a serializer needs and cannot have. */
export class Unavailable extends Error {
  /** The remedy, as a sentence. */
  readonly remedy: string;

  constructor(reason: string, remedy: string, cause?: unknown) {
    super(reason, { cause });
    this.remedy = remedy;
  }
}

/** `UNSERIALIZABLE_ARTIFACT`: the artifact, the path inside it, and what to do. */
export function unserializable(artifactName: string, path: string, fault: unknown): StowageError {
  const refusal = refusalOf(fault);
  return new StowageError(
    'UNSERIALIZABLE_ARTIFACT',
    `Artifact "${artifactName}" cannot be saved: ${shownPath(path)} is ${refusal.what}. ${refusal.remedy}`,
    { details: { artifact: artifactName, path, reason: refusal.what }, cause: refusal.cause },
  );
}

/** Turns an error of the walk over a value into a refusal of the part that the walk is at. */
export function refusalOf(thrown: unknown): Refusal {
  if (isInstance(thrown, Refusal)) return thrown;
  if (isInstance(thrown, RangeError) && /call stack/i.test(thrown.message)) {
    return new Refusal('nested too deeply for the call stack', 'Flatten it, or save its parts.', thrown);
  }
  return new Refusal(
    `not readable: it threw ${thrownText(thrown)}`,
    'Save a plain copy of the data in it.',
    thrown,
  );
}

/** `UNDECODABLE_ARTIFACT`: the artifact, and what is wrong with its bytes. */
export function undecodable(artifactName: string, fault: unknown): StowageError {
  const isMalformed = isInstance(fault, Malformed);
  const reason = isMalformed ? fault.message : `decoding threw ${thrownText(fault)}`;
  const remedy =
    (isMalformed ? fault.remedy : undefined) ??
    'Its bytes are not what a serializer wrote: save it again, or load it from another attempt.';
  return new StowageError(
    'UNDECODABLE_ARTIFACT',
    `Artifact "${artifactName}" cannot be decoded: ${reason}. ${remedy}`,
    {
      details: { artifact: artifactName, reason },
      cause: isMalformed ? fault.cause : fault,
    },
  );
}
