import { jsonText } from '../codec/json-text.ts';
import { invalidArgument, type StowageError } from '../errors.ts';
import type { JsonValue } from '../format/json-value.ts';

/** A JSON Schema: an object, or `true` or `false`. */
export type JsonSchema = boolean | { readonly [keyword: string]: unknown };

/** The JSON Schemas of what a task takes and gives; those it has. */
export interface TaskSchemas {
  readonly input?: JsonSchema | undefined;
  readonly output?: JsonSchema | undefined;
}

/** Keywords that describe, and neither check nor change a value. */
const DESCRIPTIVE = [
  '$comment',
  '$schema',
  '$id',
  'id',
  'title',
  'description',
  'markdownDescription',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
  // They are reached by references.
  '$defs',
  'definitions',
];
const HOLDS_SCHEMA = [
  'additionalItems',
  'additionalProperties',
  'contains',
  'contentSchema',
  'else',
  'if',
  'items',
  'not',
  'propertyNames',
  'then',
  'unevaluatedItems',
  'unevaluatedProperties',
];
const HOLDS_SCHEMAS = ['allOf', 'anyOf', 'items', 'oneOf', 'prefixItems'];
const HOLDS_NAMED_SCHEMAS = ['dependencies', 'dependentSchemas', 'patternProperties', 'properties'];
const REFERENCES = ['$ref', '$dynamicRef', '$recursiveRef'];
/** Keywords of schemas of which a value has to fit all, some or one. */
const COMPOSED = ['allOf', 'anyOf', 'oneOf'];
/** Their order says nothing. */
const UNORDERED = ['enum', 'required', 'type'];

/** A schema may be nested so deep, references followed, and have so many parts. */
const MAX_LEVELS = 256;
const MAX_PARTS = 100_000;

/**
 * A JSON Schema without what only describes, and whatever names its definitions have: they are numbered as they are met, so
 * that schemas that ask for the same are the same. The order of keys does not matter, for none matters in a key.
 *
 * That takes references which are pointers into the document (`#/$defs/a`). With any other (by `$anchor`, `$id`, `$dynamicRef`, an
 * address, or where no schema is known to stand) the document counts as it is: what such a reference leads to must not be lost.
 *
 * @throws StowageError `INVALID_ARGUMENT` for one that is nested too deep, as an object inside itself is, or that has too many parts
 */
export function canonicalSchema(schema: JsonSchema): JsonValue {
  const numbers = new Map<unknown, number>();
  const definitions: JsonValue[] = [];
  let hasOtherReferences = false;
  // Inside such a schema, pointers begin at it, and not at the document.
  let hasInnerId = false;
  let level = 0;
  let parts = 0;

  const refer = (target: unknown): JsonValue => {
    let number = numbers.get(target);
    if (number === undefined) {
      number = numbers.size;
      numbers.set(target, number);
      definitions[number] = null;
      definitions[number] = visit(target);
    }
    return { $ref: number };
  };

  const visit = (node: unknown): JsonValue => {
    if (!isObject(node)) return node as JsonValue;
    if (level === MAX_LEVELS) throw tooLarge(`nested deeper than ${MAX_LEVELS} levels, or inside itself`);
    if (parts++ === MAX_PARTS) throw tooLarge(`of more than ${MAX_PARTS} parts`);
    level++;
    const canonical = canonicalOf(node);
    level--;
    return canonical;
  };

  const canonicalOf = (node: Record<string, unknown>): JsonValue => {
    const { $ref } = node;
    const target = typeof $ref === 'string' ? targetOf(schema, $ref) : undefined;
    if (node !== schema && (typeof node.$id === 'string' || typeof node.id === 'string')) hasInnerId = true;
    if (REFERENCES.some((name) => isReference(node, name) && (name !== '$ref' || target === undefined)))
      hasOtherReferences = true;
    const canonical: Record<string, JsonValue> = {};
    for (const keyword of Object.keys(node).sort()) {
      if (DESCRIPTIVE.includes(keyword) || (keyword === '$ref' && target !== undefined)) continue;
      canonical[keyword] = keywordValue(keyword, node[keyword]);
    }
    if (target === undefined) return canonical;
    const reference = refer(target);
    // Nothing beside the reference: the reference itself.
    return Object.keys(canonical).length === 0 ? reference : { ...canonical, ...(reference as object) };
  };

  const keywordValue = (keyword: string, value: unknown): JsonValue => {
    if (Array.isArray(value) && HOLDS_SCHEMAS.includes(keyword)) return value.map(visit);
    if (!Array.isArray(value) && HOLDS_SCHEMA.includes(keyword)) return visit(value);
    if (isObject(value) && HOLDS_NAMED_SCHEMAS.includes(keyword)) {
      const names = Object.keys(value).sort();
      return Object.fromEntries(names.map((name) => [name, visit(value[name])]));
    }
    if (holdsReference(value)) hasOtherReferences = true;
    return Array.isArray(value) && UNORDERED.includes(keyword)
      ? [...value].sort(byText)
      : (value as JsonValue);
  };

  const root = visit(schema);
  if (hasOtherReferences || (hasInnerId && definitions.length > 0)) return { document: schema as JsonValue };
  return definitions.length === 0 ? root : { schema: root, definitions };
}

function isReference(node: object, name: string): boolean {
  return typeof (node as Record<string, unknown>)[name] === 'string';
}

/** Finds a reference at any depth of a value; each object of it is looked at once. */
function holdsReference(value: unknown): boolean {
  const seen = new Set<unknown>([value]);
  for (const part of seen) {
    if (typeof part !== 'object' || part === null) continue;
    if (REFERENCES.some((name) => isReference(part, name))) return true;
    for (const inner of Object.values(part)) seen.add(inner);
  }
  return false;
}

function tooLarge(how: string): StowageError {
  return invalidArgument(
    `A JSON Schema is ${how}, so that no cache key can tell it: give the task an \`interfaceVersion\`, and change it whenever the schema changes.`,
  );
}

/** The names that a schema knows for members of an object: its own, and those of what it refers to or is composed of. */
export function memberNames(schema: JsonSchema): string[] {
  const names = new Set<string>();
  // What is added to a set while it is walked through comes later.
  const visited = new Set<unknown>([schema]);
  for (const node of visited) {
    if (!isObject(node)) continue;
    if (isObject(node.properties)) for (const name of Object.keys(node.properties)) names.add(name);
    if (typeof node.$ref === 'string') visited.add(targetOf(schema, node.$ref));
    for (const keyword of COMPOSED) {
      const parts = node[keyword];
      if (Array.isArray(parts)) for (const part of parts) visited.add(part);
    }
  }
  return [...names];
}

/** The target of a reference inside the same document; `undefined` for one that leads elsewhere, or nowhere. */
function targetOf(document: JsonSchema, reference: string): unknown {
  if (reference !== '#' && !reference.startsWith('#/')) return undefined;
  let target: unknown = document;
  for (const part of reference.split('/').slice(1)) {
    const name = decoded(part)?.replaceAll('~1', '/').replaceAll('~0', '~');
    if (name === undefined || typeof target !== 'object' || target === null || !Object.hasOwn(target, name))
      return undefined;
    target = (target as Record<string, unknown>)[name];
  }
  return target;
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

function byText(a: unknown, b: unknown): number {
  const [left, right] = [jsonText(a), jsonText(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
