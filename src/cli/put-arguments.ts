import { type Metadata, toMetadata } from '../attempts/metadata-parts.ts';
import type { JsonValue } from '../format/json-value.ts';
import { encodeMetadataPart } from '../format/metadata-parts.ts';
import { validateUserName } from '../storage/names.ts';
import { usageError } from './cli-error.ts';
import { STDIN } from './files/input-file.ts';

/** An artifact that is to be made of a file. */
export interface InputArgument {
  name: string;
  /** A path, or {@link STDIN}. */
  file: string;
}

/**
 * Reads `<name>=<file>` arguments.
 *
 * @throws CliError `USAGE`; StowageError `INVALID_NAME`
 */
export function parseInputs(texts: readonly string[]): InputArgument[] {
  const inputs = texts.map((text) => {
    const { name, value } = splitPair(text, '<name>=<file>');
    return { name: validateUserName(name, 'artifact name'), file: value };
  });
  const twice = repeated(inputs.map(({ name }) => name));
  if (twice !== undefined)
    throw usageError(`${twice} is named twice; an artifact is one file.`, { artifact: twice });
  const empty = inputs.find(({ file }) => file === '');
  if (empty)
    throw usageError(`${empty.name}= names no file; the standard input is ${empty.name}=${STDIN}`, {
      artifact: empty.name,
    });
  if (inputs.filter(({ file }) => file === STDIN).length > 1)
    throw usageError('The standard input can be read once: give "-" to one artifact.');
  return inputs;
}

/**
 * Reads `<key>=<value>` of `--metadata`: a value is JSON if it parses and nothing of it is lost, else text.
 *
 * @throws CliError `USAGE`; StowageError `INVALID_ARGUMENT` where it is too large
 */
export function parseMetadata(texts: readonly string[], option = '--metadata'): Metadata {
  const pairs = texts.map((text) => {
    const { name, value } = splitPair(text, `${option} <key>=<value>`);
    if (name === '') throw usageError(`${option} ${text} has no key before its "=".`);
    return [name, metadataValue(value)] as const;
  });
  const twice = repeated(pairs.map(([name]) => name));
  if (twice !== undefined) throw usageError(`${option} ${twice} is given twice.`, { key: twice });
  const metadata = toMetadata(Object.fromEntries(pairs));
  encodeMetadataPart(metadata, 0); // throws where it is too large to be kept
  return metadata;
}

/** Versions and digests (`1.10`, `12e4567`) parse as numbers that are written otherwise: they stay text. */
function metadataValue(text: string): JsonValue {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
  return typeof value === 'number' && String(value) !== text ? text : value;
}

function splitPair(text: string, form: string): { name: string; value: string } {
  const at = text.indexOf('=');
  if (at === -1) throw usageError(`${JSON.stringify(text)} is not of the form ${form}.`, { argument: text });
  return { name: text.slice(0, at), value: text.slice(at + 1) };
}

function repeated(names: readonly string[]): string | undefined {
  return names.find((name, index) => names.indexOf(name) !== index);
}
