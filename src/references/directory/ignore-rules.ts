/**
 * Rules by which files are left out, in the language of `.gitignore` (https://git-scm.com/docs/gitignore): of all patterns that match the
 * last one decides, `!` takes a file in again, and nothing is taken in again below a folder that is left out.
 */
export class IgnoreRules {
  readonly #patterns: readonly Pattern[];

  /** @param lines - those of an ignore file */
  constructor(lines: readonly string[]) {
    this.#patterns = lines.flatMap((line) => patternOf(line) ?? []);
  }

  /** True, or false, if a pattern leaves out a file, or takes it in again; `undefined` if none matches. */
  decide(path: string, isFolder: boolean): boolean | undefined {
    for (let index = this.#patterns.length - 1; index >= 0; index--) {
      const { matches, onlyFolders, isNegated } = this.#patterns[index] as Pattern;
      if ((isFolder || !onlyFolders) && matches.test(path)) return !isNegated;
    }
    return undefined;
  }

  /** True if a file, or a folder above it, matches. */
  covers(path: string): boolean {
    if (this.decide(path, false) === true) return true;
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1))
      if (this.decide(path.slice(0, end), true) === true) return true;
    return false;
  }
}

interface Pattern {
  matches: RegExp;
  onlyFolders: boolean;
  isNegated: boolean;
}

function patternOf(line: string): Pattern | undefined {
  // Spaces at the end count where the first of them is quoted.
  let text = line.replace(/\r$/, '').replace(/((?:^|[^\\])(?:\\\\)*) +$/, '$1');
  if (text === '' || text.startsWith('#')) return undefined;
  const isNegated = text.startsWith('!');
  if (isNegated) text = text.slice(1);
  const onlyFolders = text.endsWith('/');
  if (onlyFolders) text = text.slice(0, -1);
  const isAnchored = text.includes('/');
  if (text.startsWith('/')) text = text.slice(1);
  if (text === '') return undefined;
  const source = sourceOf(text);
  if (source === undefined) return undefined;
  return { matches: new RegExp(`^${isAnchored ? '' : '(?:.*/)?'}${source}$`, 's'), onlyFolders, isNegated };
}

/** The pattern as a regular expression; `undefined` for one that matches nothing. */
function sourceOf(text: string): string | undefined {
  let source = '';
  for (let at = 0; at < text.length; ) {
    const rest = text.slice(at);
    const before = at === 0 || text[at - 1] === '/';
    if (before && rest.startsWith('**/')) {
      source += '(?:.*/)?';
      at += 3;
    } else if (before && rest === '**') {
      source += '.+';
      at += 2;
    } else if (rest.startsWith('*')) {
      source += '[^/]*';
      at += (/^\*+/.exec(rest) as RegExpExecArray)[0].length;
    } else if (rest.startsWith('?')) {
      source += '[^/]';
      at += 1;
    } else if (rest.startsWith('[')) {
      const found = classOf(rest);
      if (!found) return undefined;
      source += found.source;
      at += found.length;
    } else {
      const isQuoted = rest.startsWith('\\');
      if (isQuoted && rest.length === 1) return undefined;
      source += escaped(isQuoted ? (rest[1] as string) : (rest[0] as string));
      at += isQuoted ? 2 : 1;
    }
  }
  return source;
}

const NAMED_CLASSES: Readonly<Record<string, string>> = {
  alnum: 'A-Za-z0-9',
  alpha: 'A-Za-z',
  blank: ' \\t',
  digit: '0-9',
  lower: 'a-z',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\s',
  upper: 'A-Z',
  xdigit: 'A-Fa-f0-9',
};

/** `[a-z]`, `[!a-z]`, `[[:digit:]]`; `undefined` where it does not end. */
function classOf(text: string): { source: string; length: number } | undefined {
  let at = 1;
  const isNegated = text[at] === '!' || text[at] === '^';
  if (isNegated) at++;
  let members = '';
  for (let isFirst = true; ; isFirst = false) {
    const character = text[at];
    if (character === undefined) return undefined;
    if (character === ']' && !isFirst) break;
    const named = /^\[:([a-z]+):\]/.exec(text.slice(at));
    if (named) {
      const found = NAMED_CLASSES[named[1] as string];
      if (found === undefined) return undefined;
      members += found;
      at += named[0].length;
      continue;
    }
    const from = text[at] === '\\' ? text[++at] : character;
    if (from === undefined) return undefined;
    at++;
    if (text[at] === '-' && text[at + 1] !== undefined && text[at + 1] !== ']') {
      at++;
      const to = text[at] === '\\' ? text[++at] : text[at];
      if (to === undefined) return undefined;
      at++;
      if (from <= to) members += `${escaped(from)}-${escaped(to)}`;
    } else members += escaped(from);
  }
  const source = isNegated ? `[^/${members}]` : members === '' ? '[]' : `(?!/)[${members}]`;
  return { source, length: at + 1 };
}

function escaped(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|/-]/, '\\$&');
}
