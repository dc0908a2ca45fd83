/**
 * A question of the page: a command of the command line that only reads, with its arguments and options. The answer is what that
 * command prints with `--json`.
 */
export interface Asked {
  /** `runs`, `show`, `cache ls`. */
  command: string;
  args?: readonly string[];
  /** By their names, without dashes: `{ limit: '200', tag: ['a', 'b'], 'all-attempts': true }`. */
  options?: Readonly<Record<string, string | true | readonly string[]>>;
}

/** An answer, or what came of the question in place of one. */
export interface Answer<T = unknown> {
  /** What the command printed; absent where it failed. */
  result?: T;
  /** The error, or, beside a result, the reason why a part of it is missing. */
  error?: Failure;
}

/** An error, as the command line tells it with `--json`. */
export interface Failure {
  /** A code of the command line, or of the page: `SERVER_GONE`, `SERVER_BUSY`, `ANSWER_TOO_LARGE`, `REFUSED`. */
  code: string;
  message: string;
  details?: Readonly<Record<string, unknown>>;
}

/**
 * The question as part of an address, the same text for the same question: `cache/ls?limit=200`. The argument is `arg`, which repeats;
 * a switch has no value.
 */
export function addressOf({ command, args = [], options = {} }: Asked): string {
  const search = new URLSearchParams(args.map((arg): [string, string] => ['arg', arg]));
  for (const [name, value] of Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (const one of Array.isArray(value) ? value : [value]) search.append(name, one === true ? '' : one);
  }
  const query = search.size === 0 ? '' : `?${search}`;
  return `${command.replaceAll(' ', '/')}${query}`;
}

/** An answer as JSON, whose result is JSON already. */
export function answerJson({ result, error }: Answer<string>): string {
  const members = [
    ...(result === undefined ? [] : [`"result":${result.trimEnd()}`]),
    ...(error ? [`"error":${JSON.stringify(error)}`] : []),
  ];
  return `{${members.join(',')}}`;
}
