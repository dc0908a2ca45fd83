import { invalidArgument } from '../errors.ts';
import { didYouMean, suggest } from './suggestions.ts';

/**
 * Checks that `options` has no members but `signal` and `names`. A misspelt option would else be ignored, and the call do
 * something else than was meant.
 *
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function checkOptionNames(options: unknown, method: string, names: readonly string[] = []): void {
  if (options === undefined) return;
  // Neither a list, an AbortSignal, a Date nor an Error is one, though it may have no members of its own that tell.
  if (Object.prototype.toString.call(options) !== '[object Object]') {
    throw invalidArgument(`${method} takes its options as an object, such as { signal }.`);
  }
  const { signal } = options as { signal?: unknown };
  checkMembers(options as object, method, ['signal', ...names]);
  checkSignal(signal, method);
}

/** Any object with the members that are used of it will do: there are other implementations than that of Node.js. */
function checkSignal(signal: unknown, method: string): void {
  if (signal === undefined || signal === null) return;
  const { aborted, addEventListener, removeEventListener } = Object(signal) as Partial<AbortSignal>;
  const isListenedTo = typeof addEventListener === 'function' && typeof removeEventListener === 'function';
  if (typeof aborted === 'boolean' && isListenedTo) return;
  throw invalidArgument(
    `The signal of ${method} is no AbortSignal; pass the \`signal\` of an AbortController.`,
    { option: 'signal' },
  );
}

/** Checks that `object`, which is what `what` takes, is one, and has no members but `names`; throws `INVALID_ARGUMENT`. */
export function checkMembers(object: object, what: string, names: readonly string[]): void {
  // Of a number or `true` no member would be looked at, and it would count for nothing.
  if (typeof object !== 'object' || object === null)
    throw invalidArgument(`${what} takes its options as an object with ${names.join(', ')}.`);
  for (const name of Object.keys(object)) {
    if (names.includes(name)) continue;
    const meant = didYouMean(suggest(name, names));
    const has = `${meant === '' ? '; it' : `.${meant} It`} has ${names.join(', ')}.`;
    throw invalidArgument(`${what} has no option ${name}${has}`, { option: name });
  }
}
