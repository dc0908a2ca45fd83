import { hrefOf } from '../route-address.ts';

/** The artifact's view. `pathspec` is `<flow>/<run>/<step>/<task>/<attempt>`. */
export function artifactHref(pathspec: string, artifact: string): string {
  return hrefOf('artifact', [...pathspec.split('/'), artifact]);
}

/** Where the server has an artifact's bytes as they are, or those of a file in a directory. */
export function contentAddress(
  pathspec: string,
  artifact: string,
  { entry, download = false }: { entry?: string | undefined; download?: boolean } = {},
): string {
  const search = [
    ...(entry === undefined ? [] : [`entry=${encodeURIComponent(entry)}`]),
    ...(download ? ['download'] : []),
  ].join('&');
  return `content/${encoded(pathspec)}/${encodeURIComponent(artifact)}${search === '' ? '' : `?${search}`}`;
}

/** Where the server has a report's HTML, for a frame that may do nothing. */
export function reportAddress(pathspec: string, report: string): string {
  return `report/${encoded(pathspec)}/${encodeURIComponent(report)}`;
}

/** The task's id of a cached call: the beginning of its key. */
const CACHED_TASK = /^[0-9a-f]{20}$/;

/**
 * The attempt that a hit of the cache took its result from; `undefined` of what is no hit. Its record has the step and the task of its
 * source, and read that.
 */
export function cachedFrom(
  { step, task }: { step: string; task: string },
  readFrom: readonly string[] = [],
): string | undefined {
  if (!CACHED_TASK.test(task)) return undefined;
  return readFrom.find((pathspec) => {
    const [, , ofStep, ofTask] = pathspec.split('/');
    return ofStep === step && ofTask === task;
  });
}

function encoded(pathspec: string): string {
  return pathspec.split('/').map(encodeURIComponent).join('/');
}
