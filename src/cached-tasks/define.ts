import { orAborted } from '../async/next-or-aborted.ts';
import { type CodeVersion, type FreeVariable, isNamedBy, TaskCode } from '../cache/auto-version.ts';
import { TaskKeys } from '../cache/cache-key.ts';
import type { CodePart } from '../cache/code-part.ts';
import { SourceMarks } from '../cache/function-source.ts';
import type { TaskSchemas } from '../cache/interface-digest.ts';
import { type DescribableSchema, jsonSchemasOf } from '../cache/json-schemas.ts';
import { invalidTask } from '../cache/key-fault.ts';
import type { CacheKey, CacheScope, KeyParts } from '../cache/key-parts.ts';
import { throwIfAborted } from '../errors.ts';
import { validateValue } from '../flow/standard-schema.ts';
import type { CacheEntry, NewCacheEntry } from '../format/cache-entry.ts';
import type { JsonValue } from '../format/json-value.ts';
import type { CachedTasks } from './cached-tasks.ts';
import {
  type CachedTaskContext,
  type CachedTaskOptions,
  type CacheMode,
  type CheckedTaskOptions,
  checkTaskOptions,
} from './options.ts';
import { unseenText } from './warnings.ts';

/** A call's input, parsed, and its key. */
export interface KeyedCall {
  input: unknown;
  /** Enough to look for a result. */
  brief: CacheKey;
  /** The version as entries tell it. */
  versionText: string;
  /** With what explains a difference, as entries keep it. */
  full(): CacheKey;
  /** The part that differs from the one that the key was made of: the caller may have changed it since. */
  changed(): ChangedPart | undefined;
  /** As `changed`, without the input, which the function itself may change. */
  changedBeside(): Promise<ChangedPart | undefined>;
}

/** One call on its way. */
export interface Call extends KeyedCall {
  mode: CacheMode;
  /** Its mode allows for its result to be stored. */
  isStored: boolean;
  /** The run under which a miss is recorded, and what people call its attempt. */
  runId: string;
  label: string | undefined;
}

/** A part that may change under a call. Code changes by its files and by other tasks. */
export type ChangedPart = 'input' | 'config' | 'code';

/** In which of both a key differs from one that was made for the same call before. */
function changedPart(before: KeyParts, now: KeyParts): ChangedPart | undefined {
  if (before.config !== now.config) return 'config';
  return before.input === now.input ? undefined : 'input';
}

/** A cached task as its options describe it: how its inputs become keys, and what is done on a miss. */
export class TaskDefinition<Input, Output> implements CodePart {
  readonly tasks: CachedTasks;
  readonly name: string;
  readonly checked: CheckedTaskOptions;
  readonly serialize: boolean;
  readonly #options: CachedTaskOptions<unknown, Input, unknown, Output>;
  /** Present for the version `auto`. */
  readonly #code: TaskCode | undefined;
  readonly #marks: SourceMarks;
  #schemas: TaskSchemas | undefined;
  #describing: Promise<TaskSchemas> | undefined;
  #keys: { version: string | CodeVersion; of: TaskKeys } | undefined;

  /** @throws StowageError `INVALID_ARGUMENT`, `INVALID_NAME` */
  constructor(tasks: CachedTasks, options: CachedTaskOptions<unknown, Input, unknown, Output>) {
    this.checked = checkTaskOptions(options);
    this.tasks = tasks;
    this.name = this.checked.name;
    this.serialize = options.serialize ?? false;
    const { ignoredInputs, ignoredVariables, version, run, input, output, interfaceVersion } = options;
    this.#options = {
      ...options,
      ...(Array.isArray(ignoredInputs) ? { ignoredInputs: [...ignoredInputs] } : {}),
      ignoredVariables: ignoredVariables && [...ignoredVariables],
    };
    this.#marks = new SourceMarks(run);
    this.#code = version === 'auto' ? new TaskCode(this.name, options) : undefined;
    const isDescribed = interfaceVersion === undefined && (input !== undefined || output !== undefined);
    this.#schemas = isDescribed ? undefined : {};
  }

  /** The schema that results are parsed by. */
  get output(): object | undefined {
    return this.#options.output;
  }

  /** The fields of an entry that do not depend on the result, nor on the process that made it. */
  entryOf({ brief, versionText }: KeyedCall): Omit<NewCacheEntry, 'source' | 'table'> {
    const scope = this.#scope();
    const scopeText = scope === 'global' ? scope : 'flow' in scope ? `flow ${scope.flow}` : scope.name;
    const keyDescription = brief as unknown as JsonValue;
    return { task: this.name, scope: scopeText, version: versionText, keyDescription };
  }

  /**
   * Parses an input and makes its key: at once where that can be, so that what the caller does to the input next does not count. Schemas and
   * files that count may take their time.
   *
   * @throws StowageError `ABORTED`, `INPUT_INVALID`, `UNKEYABLE_VALUE`, `INVALID_ARGUMENT`
   */
  keyed(input: unknown, salt: string | undefined, signal: AbortSignal | undefined): Promise<KeyedCall> {
    throwIfAborted(signal);
    return orAborted(() => this.#keyed(input, salt), signal);
  }

  async #keyed(given: unknown, salt: string | undefined): Promise<KeyedCall> {
    const { version, of: keys } = this.#keysNow() ?? (await this.#keysInTime());
    const { input: schema } = this.#options;
    const input = schema
      ? await validateValue(given, schema, {
          title: `The input of task "${this.name}"`,
          root: 'input',
          code: 'INPUT_INVALID',
          details: { task: this.name },
        })
      : given;
    const preparing = keys.prepare(input);
    if (preparing) await preparing;
    const brief = keys.briefKeyOf(input, salt);
    return {
      input,
      brief,
      versionText: typeof version === 'string' ? version : `auto ${version.digest.slice(0, 12)}`,
      full: () => ({ ...brief, places: keys.placesIn(input) }),
      changed: () => changedPart(brief.parts, keys.partsOf(input, salt)),
      changedBeside: async () => {
        if (keys.configPart().config !== brief.parts.config) return 'config';
        const code = this.#code;
        return code && (code.known() ?? (await code.read())) !== version ? 'code' : undefined;
      },
    };
  }

  /** A key as entries keep it: a version of the user's own with the source that it stood for. */
  async described(key: CacheKey): Promise<CacheKey> {
    const version = this.#code ? undefined : await this.#marks.listing();
    return version ? { ...key, places: { ...key.places, version } } : key;
  }

  /** Knows a result that a function of other source made; `false` where it cannot be told. */
  isOfOtherSource({ keyDescription }: CacheEntry): boolean | Promise<boolean> {
    return this.#code === undefined && this.#marks.differFrom(keyDescription);
  }

  /** The input as it is recorded: without what does not count. */
  recordedInput(input: unknown): unknown {
    const { ignoredInputs = [] } = this.#options;
    if (ignoredInputs.length === 0) return input;
    // Not by entries: that would run the getters of what does not count.
    const names = Object.keys(input as object).filter((name) => !ignoredInputs.includes(name));
    return Object.fromEntries(names.map((name) => [name, (input as Record<string, unknown>)[name]]));
  }

  run(input: unknown, context: CachedTaskContext): unknown {
    // As a plain function: with the options as its `this`, a method would return nonsense rather than fail.
    const { run } = this.#options;
    return run(input as Input, context);
  }

  /** Parses a result by the output schema, if there is one. */
  parseOutput(value: unknown): Output | Promise<Output> {
    const { output: schema } = this.#options;
    if (!schema) return value as Output;
    return validateValue(value, schema, {
      title: `The result of task "${this.name}"`,
      root: 'output',
      code: 'OUTPUT_INVALID',
      details: { task: this.name },
    });
  }

  #scope(): CacheScope {
    const { scope = 'flow' } = this.#options;
    if (scope === 'global') return scope;
    return scope === 'flow' ? { flow: this.tasks.flowName } : { name: scope };
  }

  /** By all that is part of its keys but the input: what another task counts it by that depends on it. */
  known(): string | undefined {
    return this.#keysNow()?.of.sharedBy;
  }

  /** Resolves to the same as {@link known}, and reads what it takes. */
  async read(): Promise<string> {
    return (this.#keysNow() ?? (await this.#keysInTime())).of.sharedBy;
  }

  /** The keys, unless there is something to wait for: a schema to describe, code to read, or code that has changed since. */
  #keysNow(): { version: string | CodeVersion; of: TaskKeys } | undefined {
    const version = this.#code ? this.#code.known() : this.#options.version;
    return version === undefined || this.#schemas === undefined
      ? undefined
      : this.#keysOf(version, this.#schemas);
  }

  async #keysInTime(): Promise<{ version: string | CodeVersion; of: TaskKeys }> {
    this.#schemas ??= await this.#describe();
    const version = this.#code ? await this.#code.read() : this.#options.version;
    return this.#keysOf(version, this.#schemas);
  }

  /** Once; after a failure anew. */
  #describe(): Promise<TaskSchemas> {
    const { input, output } = this.#options;
    const schemas = {
      input: input as DescribableSchema | undefined,
      output: output as DescribableSchema | undefined,
    };
    this.#describing ??= jsonSchemasOf(this.name, schemas).catch((error: unknown) => {
      this.#describing = undefined;
      throw error;
    });
    return this.#describing;
  }

  #keysOf(
    version: string | CodeVersion,
    schemas: TaskSchemas,
  ): { version: string | CodeVersion; of: TaskKeys } {
    if (this.#keys?.version === version) return this.#keys;
    const { salt, interfaceVersion, config, ignoredInputs } = this.#options;
    const isCode = typeof version !== 'string';
    const keys = new TaskKeys({
      taskName: this.name,
      version,
      scope: this.#scope(),
      interface: interfaceVersion === undefined ? schemas : { version: interfaceVersion },
      config,
      taskSalt: isCode ? undefined : salt,
      ignoredInputs,
      serializers: this.tasks.context.registry,
    });
    this.#look(version, keys.sharedBy);
    this.#keys = { version, of: keys };
    return this.#keys;
  }

  /** Tells of what may give results of something else: what the version does not see, and other definitions that share results. */
  #look(version: string | CodeVersion, sharedBy: string): void {
    const { run, freeVariables } = this.#options;
    const { name } = this;
    const { warnings } = this.tasks;
    if (typeof version === 'string') {
      const unseen = () => this.#unseenOfRun();
      void warnings.defined({ name, version, sharedBy, functions: [run], unseen });
      return;
    }
    const variables = this.#unseen(version);
    if (freeVariables === 'error' && variables.length > 0) {
      throw invalidTask(name, `it ${unseenText(variables)}`, {
        variables: variables.map((variable) => variable.name),
      });
    }
    warnings.unseen(name, variables);
    const functions = this.#code?.functions ?? [];
    const unseen = async () => variables.map((variable) => variable.name);
    void warnings.defined({ name, version: undefined, sharedBy, functions, unseen });
  }

  /** The variables that a function with a fixed version uses and does not declare. Of a bound function nothing can be told. */
  async #unseenOfRun(): Promise<readonly string[]> {
    const { run } = this.#options;
    try {
      return this.#unseen(await new TaskCode(this.name, { run }).read()).map(({ name }) => name);
    } catch {
      return ['what they are bound to'];
    }
  }

  /** The variables of code that neither the configuration names nor `ignoredVariables`. */
  #unseen({ freeVariables }: CodeVersion): FreeVariable[] {
    const { config, ignoredVariables = [] } = this.#options;
    const ofConfig = typeof config === 'object' && config !== null ? Object.keys(config) : [];
    // `{ config, ... }` is the variable of that name.
    const seen = new Set([...ignoredVariables, ...ofConfig, ...(config === undefined ? [] : ['config'])]);
    return freeVariables.filter((variable) => !isNamedBy(variable, (name) => seen.has(name)));
  }
}
