import type { Invocation } from './invocation.ts';

/** A command of the command line: how it is called, and what it does. */
export interface CommandDeclaration {
  name: string;
  text: string;
  arguments?: readonly ArgumentDeclaration[];
  options?: readonly OptionDeclaration[];
  /**
   * Does the work. The modules of the store are imported in here, and not before, so that help and mistakes are answered at once.
   *
   * @param args - the arguments in their order; `undefined` for one that was not given, a list for the last one if it repeats
   * @param options - the command's own options by their names in camel case
   */
  run(invocation: Invocation, args: never, options: never): Promise<void>;
}

/** Commands under a name of their own: `stowage cache ls`. */
export interface GroupDeclaration {
  name: string;
  text: string;
  commands: readonly CommandDeclaration[];
}

/** The completions of a word, beside those that `choices` names. A path is completed to so many levels. */
export type Completion =
  | { path: number }
  | 'artifact'
  | 'artifact=file'
  | 'attempt'
  | 'cache key'
  | 'file'
  | 'folder'
  | 'report';

export interface ArgumentDeclaration {
  /** `<path>`, `[flow]`, `<artifact...>` */
  form: string;
  text: string;
  choices?: readonly string[];
  completion?: Completion;
}

export interface OptionDeclaration {
  /** `-n, --limit <count>`; without a value it is a switch. */
  flags: string;
  text: string;
  default?: string;
  choices?: readonly string[];
  /** It may be given again: its value is the list of what was given. */
  repeats?: true;
  completion?: Completion;
}

/** The parts of an option's flags. */
export interface Flags {
  short: string | undefined;
  long: string;
  takesValue: boolean;
}

export function flagsOf({ flags }: OptionDeclaration): Flags {
  const [, short, long = flags, value] = /^(?:(-\w), )?(--[\w-]+)( <.+>)?$/.exec(flags) ?? [];
  return { short, long, takesValue: value !== undefined };
}

/** `--attempt`, as several commands take it. */
export const ATTEMPT_OPTION: OptionDeclaration = {
  flags: '--attempt <n>',
  text: 'this attempt, or "latest-done"; default: the latest started',
  completion: 'attempt',
};

/** The first argument of the calls that the shells' completion scripts make. It is no command that people call. */
export const COMPLETE = '__complete';
