import { inspect } from 'node:util';
import { formatPath, type PathStep } from '../artifacts/value-path.ts';
import { StowageError } from '../errors.ts';

/** A schema that follows Standard Schema v1 (https://standardschema.dev): zod, valibot, arktype and others. */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

/** What a schema says of a value. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** What is wrong with a value, and where inside it. */
export interface SchemaIssue {
  readonly message: string;
  /** Keys from the value to the place, each alone or as a library describes it. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** The type a schema's output has. */
export type SchemaOutput<Schema> = Schema extends StandardSchema<infer Output> ? Output : never;

const BRIEF = { depth: 0, breakLength: Infinity } as const;

/**
 * Validates an artifact.
 *
 * @throws StowageError `ARTIFACT_INVALID`, naming the artifact, each path inside it, and what the schema says; or what the
 * schema threw, as the cause.
 */
export async function validateArtifact<Output>(
  name: string,
  value: unknown,
  schema: StandardSchema<Output>,
): Promise<Output> {
  if (typeof schema?.['~standard']?.validate !== 'function') {
    throw new StowageError(
      'INVALID_ARGUMENT',
      `The schema for ${name} is no Standard Schema (it has no ~standard.validate).`,
    );
  }
  const result = await validate(name, value, schema);
  if (!result.issues) return result.value;
  // Lists of a library's own class may be anything but a plain array when they are mapped.
  const issues = Array.from(result.issues, ({ path, message }) => ({ path: pathOf(name, path), message }));
  throw new StowageError(
    'ARTIFACT_INVALID',
    `Artifact ${name} is not what its schema asks for: ${issues.map(({ path, message }) => `${path}: ${message}`).join('; ')}`,
    { details: { artifact: name, issues } },
  );
}

async function validate<Output>(
  name: string,
  value: unknown,
  schema: StandardSchema<Output>,
): Promise<SchemaResult<Output>> {
  try {
    return await schema['~standard'].validate(value);
  } catch (cause) {
    throw new StowageError(
      'ARTIFACT_INVALID',
      `Artifact ${name} cannot be checked: its schema threw ${cause instanceof Error ? cause : inspect(cause, BRIEF)}`,
      { details: { artifact: name }, cause },
    );
  }
}

function pathOf(name: string, path: SchemaIssue['path']): string {
  return formatPath(name, Array.from(path ?? [], stepOf));
}

/** One step of a path; none for a member of a Set, whose key some libraries give as null. */
function stepOf(segment: PropertyKey | { readonly key: PropertyKey }): PathStep | undefined {
  const key: unknown = typeof segment === 'object' ? segment.key : segment;
  if (key === null || key === undefined) return undefined;
  return typeof key === 'number' || typeof key === 'string' ? key : inspect(key, BRIEF);
}
