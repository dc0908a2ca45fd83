import { readTask } from '../../attempts/attempt-reader.ts';
import { AttemptView } from '../../attempts/attempt-view.ts';
import type { ContentStore } from '../../content/content-store.ts';
import { invalidArgument, StowageError } from '../../errors.ts';
import { type ContentKey, isContentKey, parseCopyName } from '../../format/content-names.ts';
import type { CallOptions } from '../../storage/contract.ts';
import { validateUserName } from '../../storage/names.ts';
import { SerializerRegistry } from '../../values/registry.ts';
import { openPlaces } from '../collection/places.ts';

const KEY_PREFIX = /^[0-9a-f]{8,64}$/;
const ATTEMPT = /^(0|[1-9]\d{0,15})$/;
/** Keys that an error names. */
const MOST_TOLD = 10;

/** What an erasure names: a key, or its first digits, at least eight; or an artifact. */
export type ErasureTarget =
  | { key: string }
  | { flow: string; run: string; step: string; task: string; attempt: number | undefined; artifact: string };

/**
 * Reads what is to be erased: a key or its first digits, or `flow/run/step/task[/attempt]/artifact`.
 *
 * @throws StowageError `INVALID_ARGUMENT`, `INVALID_NAME`
 */
export function parseErasureTarget(text: string): ErasureTarget {
  if (KEY_PREFIX.test(text)) return { key: text };
  const parts = text.split('/');
  const hasAttempt = parts.length === 6 && ATTEMPT.test(parts[4] ?? '');
  if (parts.length !== 5 && !hasAttempt) {
    throw invalidArgument(
      `${JSON.stringify(text)} names nothing to erase: give flow/run/step/task[/attempt]/artifact, or a key (64 hexadecimal digits, or its first eight or more).`,
      { target: text },
    );
  }
  const [flow, run, step, task] = parts as [string, string, string, string];
  return {
    flow: validateUserName(flow, 'flow name'),
    run: validateUserName(run, 'run id'),
    step: validateUserName(step, 'step name'),
    task: validateUserName(task, 'task id'),
    attempt: hasAttempt ? Number(parts[4]) : undefined,
    artifact: validateUserName(parts.at(-1) as string, 'artifact name'),
  };
}

/**
 * The keys of what is to be erased: of an artifact that of its value, and those of all contents that it refers to.
 *
 * @throws StowageError `ARTIFACT_NOT_FOUND`, `CONTENT_ERASED`, `CONTENT_NOT_FOUND` for digits that begin no key of stored content,
 * `INVALID_ARGUMENT` for those that begin several, and what reading the attempt throws
 */
export async function keysToErase(
  content: ContentStore,
  target: ErasureTarget,
  options: CallOptions,
): Promise<ContentKey[]> {
  if ('key' in target)
    return [isContentKey(target.key) ? target.key : await completed(content, target.key, options)];
  const { attempt, artifact, ...path } = target;
  const rule = { attempt, allowNotDone: true };
  const read = await readTask(content.storage, content.reader, path, rule, options);
  const { key, refs = [] } = new AttemptView(content, new SerializerRegistry(), read).entry(artifact);
  return [...new Set([key, ...refs.filter(({ kind }) => kind === 'key').map(({ name }) => name)])];
}

/** By listings: of values that are inline, or an attempt's own, all digits have to be given. */
async function completed(content: ContentStore, digits: string, options: CallOptions): Promise<ContentKey> {
  const found = new Set<ContentKey>();
  const { places } = await openPlaces(content, [], options);
  for (const { storage } of places.values()) {
    for (const folder of ['data', 'manifests']) {
      const prefix = `${folder}/${digits.slice(0, 3)}/${digits}`;
      for await (const page of storage.list({ prefix, ...options })) {
        for (const { name } of page.objects) {
          const key = parseCopyName(name)?.key;
          if (key !== undefined) found.add(key);
        }
      }
    }
  }
  const [only, ...others] = found;
  if (only === undefined) {
    throw new StowageError(
      'CONTENT_NOT_FOUND',
      `No stored content has a key that begins with ${digits}. Values that are kept inline or beside their attempt are found by their whole key, which stowage show --json tells.`,
      { details: { key: digits } },
    );
  }
  if (others.length === 0) return only;
  const told = [...found].slice(0, MOST_TOLD).join(', ');
  throw invalidArgument(`${digits} begins ${found.size} keys: ${told}. Give more digits.`, { key: digits });
}
