import { autoVersion, type CodeVersion } from '../../cache/auto-version.ts';
import { type CacheKey, type CacheScope, type KeyParts, TaskKeys } from '../../cache/cache-key.ts';
import type { TaskSchemas } from '../../cache/interface-digest.ts';
import { type DescribableSchema, jsonSchemasOf } from '../../cache/json-schemas.ts';
import { validateValue } from '../standard-schema.ts';
import type { CachedTaskHost } from './cached-task-host.ts';
import { type CachedTaskOptions, type CheckedTaskOptions, checkTaskOptions } from './cached-task-options.ts';
import type { CachedTaskContext } from './task-context.ts';

/** A call's input, parsed, and its key. */
export interface KeyedCall {
  input: unknown;
  /** Enough to look for a result. */
  brief: CacheKey;
  /** With what explains a difference, as entries keep it. */
  full(): CacheKey;
  /** What is another one by now than when the key was made: whoever called may have changed it since. */
  changed(): ChangedPart | undefined;
  /** Whether the configuration is, which the function itself has no part in. */
  isConfigChanged(): boolean;
}

/** What may change under a call. */
export type ChangedPart = 'input' | 'config';

/** In which of both a key differs from one that was made for the same call before. */
export function changedPart(before: KeyParts, now: KeyParts): ChangedPart | undefined {
  if (before.config !== now.config) return 'config';
  return before.input === now.input ? undefined : 'input';
}

/** A cached task as its options describe it: how its inputs become keys, and what is done on a miss. */
export class TaskDefinition<Input, Output> {
  readonly host: CachedTaskHost;
  readonly name: string;
  readonly checked: CheckedTaskOptions;
  readonly serialize: boolean;
  readonly #options: CachedTaskOptions<unknown, Input, unknown, Output>;
  #keys: TaskKeys | undefined;
  #making: Promise<TaskKeys> | undefined;
  #version = '';

  /** @throws StowageError `INVALID_ARGUMENT`, `INVALID_NAME` */
  constructor(host: CachedTaskHost, options: CachedTaskOptions<unknown, Input, unknown, Output>) {
    this.checked = checkTaskOptions(options);
    this.host = host;
    this.name = this.checked.name;
    this.serialize = options.serialize ?? false;
    const { ignoredInputs } = options;
    this.#options = {
      ...options,
      ...(Array.isArray(ignoredInputs) ? { ignoredInputs: [...ignoredInputs] } : {}),
    };
  }

  /** The scope as entries tell it. */
  get scopeText(): string {
    const scope = this.#scope();
    if (scope === 'global') return scope;
    return 'flow' in scope ? `flow ${scope.flow}` : scope.name;
  }

  /** The version as entries tell it, known once there was a key. */
  get versionText(): string {
    return this.#version;
  }

  /** Parses an input and makes its key: at once where that can be, so that what the caller does to the input next does not count. */
  async keyed(given: unknown, salt: string | undefined): Promise<KeyedCall> {
    const keys = this.#keys ?? this.#keysAtOnce() ?? (await this.#keysInTime());
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
      full: () => keys.keyOf(input, salt),
      changed: () => changedPart(brief.parts, keys.briefKeyOf(input, salt).parts),
      isConfigChanged: () => keys.configPart().config !== brief.parts.config,
    };
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

  /** What is returned and stored of what the function returned. */
  async parseOutput(value: unknown): Promise<Output> {
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
    return scope === 'flow' ? { flow: this.host.flowName } : { name: scope };
  }

  /** Without code to read and schemas to describe there is nothing to wait for. */
  #keysAtOnce(): TaskKeys | undefined {
    const { version, input, output, interfaceVersion } = this.#options;
    const isDescribed = interfaceVersion === undefined && (input !== undefined || output !== undefined);
    return version === 'auto' || isDescribed ? undefined : this.#makeKeys(version, {});
  }

  /** Made once; after a failure, such as a file that could not be read, anew. */
  #keysInTime(): Promise<TaskKeys> {
    this.#making ??= this.#describe().catch((error: unknown) => {
      this.#making = undefined;
      throw error;
    });
    return this.#making;
  }

  async #describe(): Promise<TaskKeys> {
    const { name } = this;
    const { version, run, dependsOn, salt, input, output, interfaceVersion } = this.#options;
    const code = version === 'auto' ? await autoVersion(name, { run, dependsOn, salt }) : undefined;
    const schemas = {
      input: input as DescribableSchema | undefined,
      output: output as DescribableSchema | undefined,
    };
    const described = interfaceVersion === undefined ? await jsonSchemasOf(name, schemas) : {};
    return this.#makeKeys(code ?? version, described);
  }

  #makeKeys(version: string | CodeVersion, schemas: TaskSchemas): TaskKeys {
    const { run, salt, interfaceVersion, config, ignoredInputs } = this.#options;
    const isCode = typeof version !== 'string';
    this.#version = isCode ? `auto ${version.digest.slice(0, 12)}` : version;
    const keys = new TaskKeys({
      taskName: this.name,
      version,
      scope: this.#scope(),
      interface: interfaceVersion === undefined ? schemas : { version: interfaceVersion },
      config,
      taskSalt: isCode ? undefined : salt,
      ignoredInputs,
      serializers: this.host.registry,
    });
    // Where the version is the source, another function has another version.
    if (!isCode) {
      const { sharedBy } = keys;
      this.host.warnings.defined({ name: this.name, version, sharedBy, run });
    }
    this.#keys = keys;
    return keys;
  }
}
