import { toMetadata } from '../attempts/metadata-parts.ts';
import { jsonText } from '../codec/json-text.ts';
import { invalidArgument } from '../errors.ts';
import type { TaskDataStore } from '../flow/task-data-store.ts';
import type { JsonValue } from '../format/json-value.ts';
import { ANYTHING, checkOptions, type OptionTable, TEXT } from '../options/option-table.ts';
import type { CallOptions } from '../storage/contract.ts';
import { validateUserName } from '../storage/names.ts';

/** What `FlowDataStore.publish` publishes, and what is said of it. */
export interface PublishOptions {
  /** A task that is done: opened by `getTaskDataStore`, of any flow of the store; or its pathspec in this flow. */
  task: TaskDataStore | string;
  /** The name of its artifact. */
  artifact: string;
  /** The number, which must be the next one. Default: the next one, whatever others publish meanwhile. */
  version?: number | undefined;
  /** What it is, for people. Default: none. */
  description?: string | undefined;
  /** What there is to say of it for programs: any JSON; with the description at most 256 KiB. Default: none. */
  attributes?: Readonly<Record<string, JsonValue>> | undefined;
}

/** Those that are `ANYTHING` are checked by what they are used for. */
const OPTIONS: OptionTable<PublishOptions> = {
  task: ANYTHING,
  artifact: ANYTHING,
  version: ANYTHING,
  description: TEXT,
  attributes: ANYTHING,
};

/** What was checked. */
export interface CheckedPublish {
  name: string;
  artifact: string;
  version: number | undefined;
  description: string | undefined;
  attributes: Record<string, JsonValue>;
}

/** Each list of versions reads what is said of them. */
const MAX_TOLD_BYTES = 256 * 1024;

/**
 * What is published, as it is when it is called; whether the number can be one is asked by `publish`.
 *
 * @throws StowageError `INVALID_NAME`, `INVALID_ARGUMENT`
 */
export function checkPublish(name: string, options: PublishOptions & CallOptions): CheckedPublish {
  checkOptions<PublishOptions & CallOptions>(options, 'publish', OPTIONS);
  if (options === undefined)
    throw invalidArgument("publish takes what is published: { task: 'run/step/task', artifact: 'model' }.");
  const { artifact, version, description, attributes = {} } = options;
  validateUserName(name, 'name of a published version');
  validateUserName(artifact, 'name of the artifact');
  const told = toMetadata(attributes, 'attributes') as Record<string, JsonValue>;
  const bytes = Buffer.byteLength(jsonText([description ?? '', told]));
  if (bytes > MAX_TOLD_BYTES)
    throw invalidArgument(
      `The description and attributes of a published version take ${bytes} bytes, and may take ${MAX_TOLD_BYTES}: each list of versions reads them. Save what is larger as an artifact.`,
      { bytes },
    );
  return { name, artifact, version, description, attributes: told };
}
