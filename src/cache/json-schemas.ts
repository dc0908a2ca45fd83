import { jsonText } from '../codec/json-text.ts';
import { messageOf, throwIfAborted } from '../errors.ts';
import { checkOptionNames } from '../options/option-names.ts';
import type { JsonSchema, TaskSchemas } from './interface-digest.ts';
import { invalidTask } from './key-fault.ts';

/**
 * A schema whose JSON Schema can be had: one that follows Standard JSON Schema (https://standardschema.dev; zod from 4.2,
 * arktype from 2.1.28), or one of valibot, with `@valibot/to-json-schema` installed.
 */
export interface DescribableSchema {
  readonly '~standard': {
    readonly vendor: string;
    readonly jsonSchema?:
      | {
          readonly input: (options: { target: string }) => unknown;
          readonly output: (options: { target: string }) => unknown;
        }
      | undefined;
  };
}

/** The schemas of a task, of any library. */
export interface SchemaPair {
  readonly input?: DescribableSchema | undefined;
  readonly output?: DescribableSchema | undefined;
}

type Side = 'input' | 'output';

const TARGET = 'draft-2020-12';

interface ValibotConverter {
  toJsonSchema(schema: unknown, config: { typeMode: Side; target: string; errorMode: 'throw' }): JsonSchema;
}

/** Imports `@valibot/to-json-schema`, which is no dependency of this package. */
export type ImportValibotConverter = () => Promise<unknown>;

const importConverter: ImportValibotConverter = () => {
  const name = '@valibot/to-json-schema';
  return import(name);
};

/**
 * The JSON Schemas of a task's schemas, by the means of the libraries they are of: of the input schema what it takes, of the
 * output schema what it gives. What a library leaves out of them (zod: refinements) changes no key.
 *
 * @throws StowageError `INVALID_ARGUMENT`, with the task, for a schema that has no JSON Schema (transforms to an untold type,
 * classes, custom checks): give such a task an `interfaceVersion`; `ABORTED`.
 */
export async function jsonSchemasOf(
  taskName: string,
  schemas: SchemaPair,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<TaskSchemas> {
  checkOptionNames(options, 'jsonSchemasOf');
  throwIfAborted(options.signal);
  return convertSchemas(taskName, schemas, importConverter);
}

/** As {@link jsonSchemasOf}, with the converter that `importValibot` gives. */
export async function convertSchemas(
  taskName: string,
  schemas: SchemaPair,
  importValibot: ImportValibotConverter,
): Promise<TaskSchemas> {
  const convert = (side: Side): Promise<JsonSchema> | undefined => {
    const schema = schemas[side];
    return schema === undefined ? undefined : jsonSchemaOf(taskName, side, schema, importValibot);
  };
  return { input: await convert('input'), output: await convert('output') };
}

async function jsonSchemaOf(
  taskName: string,
  side: Side,
  schema: DescribableSchema,
  importValibot: ImportValibotConverter,
): Promise<JsonSchema> {
  const standard = (schema as Partial<DescribableSchema> | null)?.['~standard'];
  if (typeof standard?.vendor !== 'string') {
    throw invalidTask(taskName, `its ${side} schema is no Standard Schema (it has no ~standard.vendor).`);
  }
  try {
    const described = await describe(side, schema, importValibot);
    if (typeof described === 'boolean' || (typeof described === 'object' && described !== null)) {
      // As JSON, for some libraries leave functions and members that are undefined in it.
      return JSON.parse(jsonText(described)) as JsonSchema;
    }
    throw new Error('the library gives none');
  } catch (cause) {
    throw invalidTask(
      taskName,
      `its ${side} schema (of ${standard.vendor}) has no JSON Schema, by which a cache key would tell it from another: ${briefly(cause)}. Give the task an \`interfaceVersion\`, and change it whenever the schema changes.`,
      { side, vendor: standard.vendor },
      cause,
    );
  }
}

async function describe(
  side: Side,
  schema: DescribableSchema,
  importValibot: ImportValibotConverter,
): Promise<unknown> {
  const { vendor, jsonSchema } = schema['~standard'];
  if (isArktype(schema)) return describeArktype(side, schema);
  if (jsonSchema !== undefined) return jsonSchema[side]({ target: TARGET });
  if (vendor === 'valibot') {
    const { toJsonSchema } = (await loadConverter(importValibot)) as ValibotConverter;
    return toJsonSchema(schema, { typeMode: side, target: TARGET, errorMode: 'throw' });
  }
  throw new Error(`it does not follow Standard JSON Schema; a newer release of ${vendor} may`);
}

async function loadConverter(importValibot: ImportValibotConverter): Promise<unknown> {
  try {
    return await importValibot();
  } catch (cause) {
    throw new Error('@valibot/to-json-schema cannot be loaded; install it', { cause });
  }
}

interface Arktype extends DescribableSchema {
  readonly in: Arktype;
  readonly out: Arktype;
  readonly includesTransform?: boolean;
  toJsonSchema(options: { fallback: { predicate: (context: { base: unknown }) => unknown } }): JsonSchema;
}

function isArktype(schema: DescribableSchema): schema is Arktype {
  return schema['~standard'].vendor === 'arktype' && 'toJsonSchema' in schema;
}

/** Uses the library's own means: its standard ones make an empty schema of what has none. Predicates are left out, as zod does. */
function describeArktype(side: Side, schema: Arktype): JsonSchema {
  const part = side === 'input' ? schema.in : schema.out;
  const described = part.toJsonSchema({ fallback: { predicate: ({ base }) => base } });
  if (side === 'output' && schema.includesTransform === true && saysNothing(described)) {
    throw new Error('it transforms values to a type that it does not tell (add `.to(...)`)');
  }
  return described;
}

function saysNothing(schema: JsonSchema): boolean {
  const { $schema: _, ...rest } = schema as { readonly [keyword: string]: unknown };
  return JSON.stringify(rest).includes('{}');
}

function briefly(cause: unknown): string {
  const line = messageOf(cause).replaceAll(/\s+/g, ' ').replace(/\.$/, '');
  return line.length > 200 ? `${line.slice(0, 200)}...` : line;
}
