import { isPackName, isPlainName, parseCopyName } from './content-names.ts';
import { SESSION_PATTERN } from './session-id.ts';

/** The forms of names in a store but for those of content, in the order of docs/format.md. */
const FORMS: readonly RegExp[] = [
  /^(?:stowage|policy\.\d{8})\.json$/,
  /^runs(?:\/[^/]+){2}\/(?:created\.json|finished(?:\.\d+)?\.json|pinned\.\d+\.json|at\.\d+|DELETED)$/,
  /^flows(?:\/[^/]+){4}\/\d+\.(?:(?:attempt|metadata)\.json|DONE|DELETED|PURGED|ERASED\.\d+\.json)$/,
  /^partial(?:\/[^/]+){4}\/\d+\.(?:metadata|trace|checkpoint|report)\.[^/]+\.json$/,
  /^logs(?:\/[^/]+){4}\/\d+\.[\w-]{1,32}\.[\w-]{1,32}\.\d{8}$/,
  new RegExp(`^values(?:/[^/]+){4}/\\d+\\.${SESSION_PATTERN}-\\d{8}$`),
  new RegExp(`^loose/${SESSION_PATTERN}\\.[^/]+$`),
  new RegExp(`^(?:pins/${SESSION_PATTERN}/\\d{8}\\.json|beats/${SESSION_PATTERN})$`),
  /^elsewhere\/[0-9a-f]{32}\.json$/,
  new RegExp(`^gc/(?:\\d{12}|lists/${SESSION_PATTERN}/\\d{8})$`),
  /^cache\/[0-9a-f]{3}\/[0-9a-f]{64}\.(?:json|evicted|lease\.\d{12}\.(?:json|released))$/,
  new RegExp(`^cache/used/\\d{4}-\\d{2}-\\d{2}\\.${SESSION_PATTERN}\\.json$`),
  /^hints\/[^/]+\/[^/]+\.json$/,
  /^names\/[^/]+\/\d{12}(?:\.json|\.DELETED)$/,
  // In a folder: unfinished writes, which are no objects.
  /^\.stowage-tmp\/[^/]+$/,
];

/** True if a name is of a form that writers of stores give: others in the same bucket are somebody else's. */
export function isStoreName(name: string): boolean {
  return (
    parseCopyName(name) !== undefined ||
    isPackName(name) ||
    isPlainName(name) ||
    FORMS.some((form) => form.test(name))
  );
}
