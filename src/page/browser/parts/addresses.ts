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

/** Where the server has a file of the code of a run, or all of it as an archive, to be saved. */
export function codeAddress(run: string, entry?: string): string {
  return `code/${encoded(run)}${entry === undefined ? '' : `?entry=${encodeURIComponent(entry)}`}`;
}

/** Where the server has a report's HTML, for a frame that may do nothing, or to be saved. */
export function reportAddress(
  pathspec: string,
  report: string,
  { download = false }: { download?: boolean } = {},
): string {
  return `report/${encoded(pathspec)}/${encodeURIComponent(report)}${download ? '?download' : ''}`;
}

function encoded(pathspec: string): string {
  return pathspec.split('/').map(encodeURIComponent).join('/');
}
