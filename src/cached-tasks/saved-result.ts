import { SavedForm } from '../attempts/artifact-input.ts';
import type { AttemptContext } from '../attempts/open-attempt.ts';
import { isStowageError, messageOf, StowageError } from '../errors.ts';
import type { JsonValue } from '../format/json-value.ts';
import { referenceReader } from '../references/read-reference.ts';
import { OUTPUT_ARTIFACT } from './record.ts';

/** The result of a function, as a hit returns it, and the form in which it is saved. */
export interface SavedResult {
  /** Made of the saved form, so that a miss returns what a hit does; the very value where it cannot be saved. */
  value: unknown;
  /** Absent where it cannot be saved. */
  form: SavedForm | undefined;
  /** `UNSERIALIZABLE_ARTIFACT`, naming the task and the path inside the result. */
  unsavable: StowageError | undefined;
}

/**
 * Serializes a result and loads it again, in memory of its own: what the function does to its value later is not seen. The two forms share
 * memory, so that the value is to be let out only once the form was saved.
 */
export async function toSaved(
  task: string,
  { registry, content }: Pick<AttemptContext, 'registry' | 'content'>,
  returned: unknown,
): Promise<SavedResult> {
  try {
    const preparing = registry.prepareToSave([returned]);
    if (preparing) await preparing;
    const serialized = registry.serialize(OUTPUT_ARTIFACT, returned);
    // Nothing can tell a text, a number or another primitive from a copy of it.
    if (typeof returned !== 'object' || returned === null)
      return { value: returned, form: new SavedForm(serialized), unsavable: undefined };
    // The bytes may be the function's own memory, and the JSON its own object.
    const bytes = serialized.bytes.slice();
    const loading = registry.prepareToLoad(serialized);
    if (loading) await loading;
    const value = registry.deserialize(
      OUTPUT_ARTIFACT,
      serialized,
      bytes,
      referenceReader(content, serialized.refs),
    );
    const json = serialized.json ? { json: { value: value as JsonValue } } : {};
    return { value, form: new SavedForm({ ...serialized, bytes, ...json }), unsavable: undefined };
  } catch (error) {
    if (!isStowageError(error, ...OF_THE_VALUE)) throw error;
    return { value: returned, form: undefined, unsavable: cannotBeSaved(task, error) };
  }
}

/** The errors of a value itself. One that can be saved and not be loaded would never be a hit. */
const OF_THE_VALUE = ['UNSERIALIZABLE_ARTIFACT', 'UNDECODABLE_ARTIFACT', 'UNKNOWN_ENCODING'] as const;

function cannotBeSaved(task: string, cause: StowageError): StowageError {
  return new StowageError(
    'UNSERIALIZABLE_ARTIFACT',
    `The result of task "${task}" cannot be saved: ${messageOf(cause)}`,
    { details: { ...cause.details, task }, cause },
  );
}
