import { isStowageError } from '../errors.ts';
import { checkMembers } from '../options/option-names.ts';
import { ANYTHING, type OptionTable } from '../options/option-table.ts';
import { hasCacheDigest } from '../values/cache-digest.ts';
import { plainNames } from '../values/own-data.ts';
import { SerializerRegistry } from '../values/registry.ts';
import type { CodeVersion } from './auto-version.ts';
import { canonicalSchema, memberNames, type TaskSchemas } from './interface-digest.ts';
import { valueDigest } from './key-encoding.ts';
import { invalidTask, unkeyable } from './key-fault.ts';
import { type KeyListing, listPlaces } from './key-listing.ts';
import { type CacheKey, type CacheScope, type KeyParts, keyOfParts } from './key-parts.ts';

/** The parts that the keys of all calls of one task share. */
export interface TaskKeyParts {
  readonly taskName: string;
  /** The user's own; or one made of code, by `autoVersion`. */
  readonly version: string | Pick<CodeVersion, 'digest' | 'places'>;
  /** Default: `global`. */
  readonly scope?: CacheScope | undefined;
  /** The input and output of the task: JSON Schemas, or a version of the user's if there are none. Default: nothing. */
  readonly interface?: TaskSchemas | { readonly version: string } | undefined;
  /** Everything else that the result depends on, beside the input: any value that can be saved. Default: nothing. */
  readonly config?: unknown;
  /** Members of the input, which must be an object then, that the result does not depend on. Default: none. */
  readonly ignoredInputs?: readonly string[] | undefined;
  /** Tells all calls of the task from those of others that are equal. Default: none. */
  readonly taskSalt?: string | undefined;
  /** Knows the classes that values hold, and the serializers of others. Default: a new one. */
  readonly serializers?: SerializerRegistry | undefined;
}

/** Everything a call's key is made of. */
export interface CacheKeyParts extends TaskKeyParts {
  /** Any value that can be saved; parsed already where there is a schema. */
  readonly input: unknown;
  /** Tells a call from others that are equal. Default: none. */
  readonly salt?: string | undefined;
}

/** The members are checked where they are used, with messages that name the task. */
const TASK_OPTIONS: OptionTable<TaskKeyParts> = {
  taskName: ANYTHING,
  version: ANYTHING,
  scope: ANYTHING,
  interface: ANYTHING,
  config: ANYTHING,
  ignoredInputs: ANYTHING,
  taskSalt: ANYTHING,
  serializers: ANYTHING,
};

/**
 * The key of a call: equal for calls that mean the same, whoever makes them and wherever, and different for all others.
 *
 * Object keys, Map entries and Set members count in no order; types count (`1`, `"1"`, `1n` and `true` differ; so do `null`,
 * `undefined` and what is absent, `0` and `-0`, a Map and an object, an `Uint8Array` and an array). An Arrow table, or what another
 * serializer with a `prepare` saves, needs `await serializers.prepareToSave([...])` before.
 *
 * @throws StowageError `UNKEYABLE_VALUE`, with the task and the path inside the value; `INVALID_ARGUMENT`, for members of
 * `ignoredInputs` that are none of the input.
 */
export function cacheKey(parts: CacheKeyParts): CacheKey {
  const { input, salt, ...ofTask } = parts ?? ({} as CacheKeyParts);
  return new TaskKeys(ofTask).keyOf(input, salt);
}

/** Makes the keys of one task's calls: what they have in common is worked out once. */
export class TaskKeys {
  readonly taskName: string;
  private readonly registry: SerializerRegistry;
  private readonly ignored: readonly string[];
  private readonly taskSalt: string | undefined;
  private readonly inputNames: readonly string[];
  private readonly config: unknown;
  private readonly common: Omit<KeyParts, 'config' | 'input' | 'salt'>;
  private readonly commonPlaces: CacheKey['places'];

  /** Throws as {@link cacheKey}. */
  constructor(parts: TaskKeyParts) {
    const { taskName, version, scope = 'global', serializers = new SerializerRegistry() } = parts;
    if (typeof taskName !== 'string' || taskName === '')
      throw invalidTask(String(taskName), 'a task needs a name.');
    checkMembers(parts, `Task "${taskName}"`, Object.keys(TASK_OPTIONS));
    this.taskName = taskName;
    this.registry = serializers;
    this.ignored = this.checkedNames(parts.ignoredInputs);
    if (parts.taskSalt !== undefined && typeof parts.taskSalt !== 'string')
      throw invalidTask(this.taskName, 'a salt is a string.');
    this.taskSalt = parts.taskSalt;
    const of = this.interfaceOf(parts.interface);
    this.inputNames = of.inputNames;
    this.config = parts.config;
    this.common = {
      task: taskName,
      scope: this.checkedScope(scope),
      version: this.checkedVersion(version),
      ...(of.part === undefined ? {} : { interface: of.part }),
      ...(this.ignored.length === 0 ? {} : { ignoredInputs: this.ignored }),
    };
    this.commonPlaces = {
      ...(typeof version === 'string' ? {} : { version: version.places }),
      ...(of.places === undefined ? {} : { interface: of.places }),
    };
  }

  /** Equal for tasks whose equal calls share results. */
  get sharedBy(): string {
    return keyOfParts({ ...this.common, ...this.configPart(), input: '', ...this.saltOf(undefined) });
  }

  /** The key of a call. */
  keyOf(input: unknown, salt?: string): CacheKey {
    return { ...this.briefKeyOf(input, salt), places: this.placesIn(input) };
  }

  /** As {@link keyOf}, in half the time, without what explains a difference inside the input or the configuration. */
  briefKeyOf(input: unknown, salt?: string): CacheKey {
    const parts = this.partsOf(input, salt);
    return { key: keyOfParts(parts), parts, places: this.commonPlaces };
  }

  /** Places that explain a difference inside the input or the configuration, as they are now. */
  placesIn(input: unknown): CacheKey['places'] {
    return {
      ...this.commonPlaces,
      ...(this.config === undefined ? {} : { config: this.placesOf('config', this.config) }),
      input: this.placesOf('input', this.counted(input)),
    };
  }

  /** The parts of the key of a call. */
  partsOf(input: unknown, salt: string | undefined): KeyParts {
    if (salt !== undefined && typeof salt !== 'string')
      throw invalidTask(this.taskName, 'a salt is a string.');
    return {
      ...this.common,
      ...this.configPart(),
      input: this.digestOf('input', this.counted(input)),
      ...this.saltOf(salt),
    };
  }

  /** The configuration as it is now: an object that is changed between two calls gives each of them a key of its own. */
  configPart(): Pick<KeyParts, 'config'> {
    return this.config === undefined ? {} : { config: this.digestOf('config', this.config) };
  }

  /** Await it before the key of `input` is made, unless it is `undefined`. It is never rejected. */
  prepare(input: unknown): Promise<void> | undefined {
    return this.registry.prepareToSave(this.toPrepare(input));
  }

  /** The input, or what its members hold. Runs no getter, and none is asked for what is ignored. */
  private toPrepare(input: unknown): unknown[] {
    if (typeof input !== 'object' || input === null) return [];
    try {
      if (!isPlainObject(input)) return [input];
      const names = Object.keys(input).filter((name) => !this.ignored.includes(name));
      return names.map((name) => Object.getOwnPropertyDescriptor(input, name)?.value);
    } catch {
      return []; // a Proxy that throws: making the key tells where
    }
  }

  /** The salt of a task and that of a call differ by type. */
  private saltOf(salt: string | undefined): Pick<KeyParts, 'salt'> {
    const { taskSalt } = this;
    if (taskSalt !== undefined) {
      const both = { task: taskSalt, ...(salt === undefined ? {} : { call: salt }) };
      return { salt: this.digestOf('salt', both) };
    }
    return salt === undefined ? {} : { salt: this.digestOf('salt', salt) };
  }

  /** The input without what is ignored. */
  private counted(input: unknown): unknown {
    if (this.ignored.length === 0) return input;
    try {
      return this.withoutIgnored(input);
    } catch (fault) {
      if (isStowageError(fault)) throw fault;
      throw unkeyable(this.taskName, 'input', fault); // a Proxy that throws
    }
  }

  private withoutIgnored(input: unknown): object {
    const { ignored } = this;
    if (typeof input !== 'object' || input === null || !isPlainObject(input)) {
      throw invalidTask(
        this.taskName,
        '`ignoredInputs` names members of its input, which is no plain object. Pass an object, or ignore nothing.',
      );
    }
    const unknown = ignored.filter((name) => !Object.hasOwn(input, name) && !this.inputNames.includes(name));
    if (unknown.length > 0) {
      throw invalidTask(
        this.taskName,
        `\`ignoredInputs\` names ${unknown.join(', ')}, which its input does not have; it has ${Object.keys(input).join(', ') || 'no members'}. Correct the name; a member that may be absent is known by the JSON Schema of the input, or passed as undefined.`,
        { unknown },
      );
    }
    // Nothing in it counts beside its digest.
    if (hasCacheDigest(input)) return input;
    const counted: Record<string, unknown> = Object.create(Object.getPrototypeOf(input));
    for (const name of plainNames(input)) {
      if (ignored.includes(name)) continue;
      Object.defineProperty(
        counted,
        name,
        Object.getOwnPropertyDescriptor(input, name) as PropertyDescriptor,
      );
    }
    return counted;
  }

  private interfaceOf(given: TaskKeyParts['interface']): {
    part?: NonNullable<KeyParts['interface']>;
    places?: KeyListing;
    inputNames: readonly string[];
  } {
    if (given === undefined) return { inputNames: [] };
    if (typeof given !== 'object' || given === null) {
      throw invalidTask(this.taskName, 'an interface is { input, output }, JSON Schemas, or { version }.');
    }
    if ('version' in given) {
      const { version } = given;
      if (typeof version !== 'string') throw invalidTask(this.taskName, '`interfaceVersion` is a string.');
      return { part: { version }, inputNames: [] };
    }
    checkMembers(given, `The interface of task "${this.taskName}"`, ['input', 'output']);
    const { input, output } = given;
    if (input === undefined && output === undefined) return { inputNames: [] };
    const schemas = {
      ...(input === undefined ? {} : { input: canonicalSchema(input) }),
      ...(output === undefined ? {} : { output: canonicalSchema(output) }),
    };
    return {
      part: { schemas: this.digestOf('interface', schemas) },
      places: this.placesOf('interface', schemas),
      inputNames: input === undefined ? [] : memberNames(input),
    };
  }

  private checkedScope(scope: CacheScope): CacheScope {
    if (scope === 'global') return scope;
    const [[kind, name] = [], ...others] = Object.entries(scope ?? {});
    const isNamed = typeof scope === 'object' && (kind === 'flow' || kind === 'name') && others.length === 0;
    if (isNamed && typeof name === 'string' && name !== '') return { [kind]: name } as unknown as CacheScope;
    throw invalidTask(
      this.taskName,
      'a scope is "global", { flow } or { name }, with a name that is not empty.',
    );
  }

  private checkedNames(names: readonly string[] | undefined = []): string[] {
    // A text would be taken for its letters.
    if (Array.isArray(names) && names.every((name) => typeof name === 'string'))
      return [...new Set(names)].sort();
    throw invalidTask(
      this.taskName,
      "`ignoredInputs` is a list of names of members of its input: ['traceId'].",
    );
  }

  private checkedVersion(version: TaskKeyParts['version']): KeyParts['version'] {
    if (typeof version === 'string' && version !== '') return version;
    if (typeof version === 'object' && typeof version?.digest === 'string') return { auto: version.digest };
    throw invalidTask(this.taskName, 'a version is a string that is not empty, or what `autoVersion` gives.');
  }

  private digestOf(root: string, value: unknown): string {
    return valueDigest(value, { taskName: this.taskName, root }, this.registry);
  }

  private placesOf(root: string, value: unknown): KeyListing {
    return listPlaces(value, { taskName: this.taskName, root }, this.registry);
  }
}

function isPlainObject(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
