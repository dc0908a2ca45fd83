import { PageRefusal } from './page-refusal.ts';

/** The commands that the page may ask, all of which only read, with the options that it may give them. */
export const QUESTIONS: Readonly<Record<string, readonly string[]>> = {
  runs: ['limit', 'tag', 'status', 'since', 'text', 'before', 'figures', 'no-update'],
  ls: ['status'],
  show: ['attempt', 'limit', 'brief', 'offset', 'reads', 'steps', 'artifact'],
  find: ['step', 'metadata', 'artifact', 'type', 'key', 'tag', 'status', 'since', 'all-attempts', 'limit'],
  lineage: ['up', 'down', 'limit'],
  log: ['tail', 'source', 'stream', 'attempt'],
  preview: ['offset', 'limit', 'entry', 'max-bytes'],
  code: ['limit', 'offset'],
  du: ['by', 'limit'],
  stat: ['by', 'limit'],
  diff: ['brief', 'details', 'limit', 'tasks'],
  gc: ['limit'],
  fsck: ['quick', 'limit'],
  published: ['of', 'limit', 'offset'],
  'cache ls': ['task', 'scope', 'since', 'older-than', 'limit', 'offset'],
  'cache show': [],
  'cache stats': ['figures', 'no-update'],
  'cache explain': [],
};

/** The commands whose output goes on, as it comes. */
export const FOLLOWED: Readonly<Record<string, readonly string[]>> = {
  log: ['tail', 'source', 'stream', 'attempt'],
};

/** The options that take no value. */
export const SWITCHES: ReadonlySet<string> = new Set([
  'all-attempts',
  'brief',
  'details',
  'figures',
  'no-update',
  'quick',
  'reads',
  'steps',
]);

/** No question has more arguments and options. */
const MAX_PARTS = 200;

/**
 * The arguments by which the command line answers a question: those of `arg` stand behind `--`, so that none is taken for an option.
 *
 * @throws PageRefusal 404 for no question, 400 for an option that the question does not have, or of another form
 */
export function argvOf(
  questions: Readonly<Record<string, readonly string[]>>,
  command: string,
  query: URLSearchParams,
): string[] {
  const allowed = Object.hasOwn(questions, command) ? questions[command] : undefined;
  if (!allowed) throw new PageRefusal(404, 'REFUSED', `The page asks no such question: ${command}.`);
  if (query.size > MAX_PARTS) throw usage(`A question has at most ${MAX_PARTS} arguments and options.`);
  const argv = command.split(' ');
  const args: string[] = [];
  for (const [name, value] of query) {
    if (name === 'arg') args.push(value);
    else if (!allowed.includes(name)) throw usage(`${command} has no option ${name} on the page.`);
    else if (!SWITCHES.has(name)) argv.push(`--${name}=${value}`);
    else if (value === '') argv.push(`--${name}`);
    else throw usage(`The option ${name} of ${command} takes no value.`);
  }
  return [...argv, '--', ...args];
}

function usage(message: string): PageRefusal {
  return new PageRefusal(400, 'USAGE', message);
}
