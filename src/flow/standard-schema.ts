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

interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** The type a schema's output has. */
export type SchemaOutput<Schema> = Schema extends StandardSchema<infer Output> ? Output : never;

/**
 * Validates an artifact.
 *
 * @throws StowageError `ARTIFACT_INVALID`, naming the artifact, each path inside it, and what the schema says.
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
  const result = await schema['~standard'].validate(value);
  if (!result.issues) return result.value;
  const issues = result.issues.map(({ path, message }) => ({ path: formatPath(name, path ?? []), message }));
  throw new StowageError(
    'ARTIFACT_INVALID',
    `Artifact ${name} is not what its schema asks for: ${issues.map(({ path, message }) => `${path}: ${message}`).join('; ')}`,
    { details: { artifact: name, issues } },
  );
}

function formatPath(name: string, path: NonNullable<SchemaIssue['path']>): string {
  const keys = path.map((segment) => (typeof segment === 'object' ? segment.key : segment));
  return keys.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : `${text}.${String(key)}`),
    name,
  );
}
