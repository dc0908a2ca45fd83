import { taskIdOf } from '../format/cache-names.ts';
import type { CallOptions } from '../storage/contract.ts';
import { giveUp, tellUnrecorded } from './attempt-recording.ts';
import type { CachedResult } from './result.ts';
import type { TaskDefinition } from './task-definition.ts';

/**
 * Records a hit as an attempt of the caller's run that shares the content of the first: a clone. Resolves to its pathspec, or to
 * `undefined` where it could not be written, which costs the record only.
 */
export async function recordHit<Input, Output>(
  definition: TaskDefinition<Input, Output>,
  { key, provenance }: CachedResult<Output>,
  runId: string,
  { signal }: CallOptions,
): Promise<string | undefined> {
  const { host, name, checked } = definition;
  if (!provenance) return undefined;
  const spec = { runId, stepName: name, taskId: taskIdOf(key) };
  try {
    return await host.cache.patience(checked.cacheTimeoutMs).spend({ signal }, async (options) => {
      const source = await host.openSource(provenance, options);
      const attempt = (await host.openFirst(spec, options)) ?? (await host.openNext(spec, options));
      try {
        await attempt.clone(source, options);
        await attempt.done(options);
      } catch (error) {
        giveUp(attempt, error);
        throw error;
      }
      return attempt.pathspec;
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    tellUnrecorded({ task: name, pathspec: undefined, error });
    return undefined;
  }
}
