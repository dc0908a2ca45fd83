/** Nothing of a content runs, loads anything, or is of the page's origin. */
const CONTENT_POLICY =
  "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'";

/** The type of what a browser is not to show. */
const UNKNOWN = 'application/octet-stream';

/** The headers of a content that users stored. */
export function contentHeaders({
  name,
  type,
  download,
}: {
  /** The file name to save it under. */
  name: string;
  /** A type that may be shown; `undefined` for what is only saved. */
  type: string | undefined;
  /** It is to be saved, whatever its type. */
  download: boolean;
}): Record<string, string> {
  const shown = type?.startsWith('text/') ? `${type}; charset=utf-8` : type;
  const isSaved = download || type === undefined;
  return {
    'content-type': shown ?? UNKNOWN,
    'content-disposition': isSaved ? `attachment; ${fileName(name)}` : 'inline',
    'content-security-policy': CONTENT_POLICY,
  };
}

/** File names longer than this are cut: systems take no longer ones. */
const MAX_NAME_LENGTH = 150;

/** A file name as parameters of Content-Disposition: for old browsers in ASCII, and as RFC 8187 has it. */
function fileName(given: string): string {
  const parts = given.toWellFormed().split(/[/\\]/);
  const kept = Array.from(parts.at(-1) ?? '')
    .slice(0, MAX_NAME_LENGTH)
    .join('');
  // What commands terminals or turns text around is no part of a name; nor may it be a folder.
  const name = kept.replace(/[\p{C}\u2028\u2029]/gu, '_').replace(/^\.+/, '_') || 'content';
  const ascii = name.replace(/[^\w. ()-]/g, '_');
  return `filename="${ascii}"; filename*=UTF-8''${encodeURIComponent(name).replace(/['()*]/g, percent)}`;
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}
