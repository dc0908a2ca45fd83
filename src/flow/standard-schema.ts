import { inspect } from 'node:util';
import { invalidArgument, StowageError, thrownText } from '../errors.ts';
import { formatPath, type PathStep } from '../values/value-path.ts';

/** A schema that follows Standard Schema v1 (https://standardschema.dev): zod, valibot, arktype and others. */
export interface StandardSchema<Output = unknown, Input = unknown> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** The answer of a schema to a value. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** A fault of a value, and the path inside it. */
export interface SchemaIssue {
  readonly message: string;
  /** Keys from the value to the place, each alone or as a library describes it. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** The type a schema's output has. */
export type SchemaOutput<Schema> = Schema extends StandardSchema<infer Output> ? Output : never;

/** A message tells so many issues; `details.issues` has all. */
const MAX_TOLD = 10;
const BRIEF = { depth: 0, breakLength: Infinity } as const;

/** The name of a value that is validated, and the error for one that is refused. */
export interface Validated {
  /** Its name in a message: `Artifact model`. */
  title: string;
  /** The beginning of paths inside it. */
  root: string;
  code: 'ARTIFACT_INVALID' | 'INPUT_INVALID' | 'OUTPUT_INVALID';
  details: Readonly<Record<string, unknown>>;
}

/** @throws StowageError `INVALID_ARGUMENT` for what are no schemas by name */
export function checkSchemas(schemas: unknown): void {
  if (typeof schemas === 'object' && schemas !== null && !Array.isArray(schemas)) return;
  throw invalidArgument(
    'Artifacts are loaded by a schema for each: pass an object such as { metrics: MetricsSchema }.',
  );
}

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
    throw invalidArgument(`The schema for ${name} is no Standard Schema (it has no ~standard.validate).`);
  }
  const artifact = { title: `Artifact ${name}`, root: name, details: { artifact: name } };
  return validateValue(value, schema, { ...artifact, code: 'ARTIFACT_INVALID' });
}

/** Gives what schemas make of artifacts, one after the other; throws as {@link validateArtifact}. */
export async function validateArtifacts<Schemas extends Readonly<Record<string, StandardSchema>>>(
  values: Readonly<Record<string, unknown>>,
  schemas: Schemas,
): Promise<{ -readonly [Name in keyof Schemas]: SchemaOutput<Schemas[Name]> }> {
  const typed: [string, unknown][] = [];
  for (const [name, schema] of Object.entries(schemas)) {
    typed.push([name, await validateArtifact(name, values[name], schema)]);
  }
  return Object.fromEntries(typed) as { -readonly [Name in keyof Schemas]: SchemaOutput<Schemas[Name]> };
}

/** Gives what a schema makes of a value. Throws the error that `validated` names, with each path inside it, if the schema refuses it. */
export async function validateValue<Output>(
  value: unknown,
  schema: StandardSchema<Output>,
  validated: Validated,
): Promise<Output> {
  const { title, root, code, details } = validated;
  const result = await validate(value, schema, validated);
  if (!result.issues) return result.value;
  // Lists of a library's own class may be anything but a plain array when they are mapped.
  const issues = Array.from(result.issues, ({ path, message }) => ({ path: pathOf(root, path), message }));
  throw new StowageError(code, `${title} is not what its schema asks for: ${describeIssues(issues)}`, {
    details: { ...details, issues },
  });
}

function describeIssues(issues: readonly { path: string; message: string }[]): string {
  if (issues.length === 0) return 'it does not say why.';
  const told = issues.slice(0, MAX_TOLD).map(({ path, message }) => `${path}: ${message}`);
  const more = issues.length - told.length;
  return more > 0 ? `${told.join('; ')}; and ${more} more` : told.join('; ');
}

async function validate<Output>(
  value: unknown,
  schema: StandardSchema<Output>,
  { title, code, details }: Validated,
): Promise<SchemaResult<Output>> {
  try {
    const result: unknown = await schema['~standard'].validate(value);
    if (typeof result !== 'object' || result === null) throw new TypeError('its answer is no result');
    return result as SchemaResult<Output>;
  } catch (cause) {
    throw new StowageError(code, `${title} cannot be checked: its schema threw ${thrownText(cause)}`, {
      details,
      cause,
    });
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
