import { homedir } from 'node:os';
import type { Argument, Command, Option } from 'commander';
import { artifactsOf, attemptsOf, cacheKeysFrom, childrenOfPath } from './store-candidates.ts';

/** The words that a word may become. */
export interface Candidate {
  /** The whole word from {@link Completion.lead} on. What ends in `/` goes on. */
  value: string;
  description?: string;
}

/** The completions of the word at the cursor. */
export interface Completion {
  /** `files` and `folders` are for the shell to find. */
  kind: 'words' | 'files' | 'folders';
  /** The part of the word that stays: `--store=`. */
  lead: string;
  candidates: readonly Candidate[];
}

/** A command line that is read as far as it goes. */
interface Context {
  program: Command;
  command: Command | undefined;
  /** Arguments of the command. */
  args: readonly string[];
  /** The option that the next word is the value of. */
  pending: Option | undefined;
  /** Behind `--` there are no options. */
  isLiteral: boolean;
  store: string | undefined;
  signal: AbortSignal;
}

/** Completes `word` behind `words`, by the program's own commands and options, and by the store. */
export async function complete(
  program: Command,
  words: readonly string[],
  word: string,
  signal: AbortSignal,
): Promise<Completion> {
  const context = { ...read(program, words), signal };
  const { pending, isLiteral, command } = context;
  if (pending) return completeValue(context, pending, word, '');
  const [, name, value] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
  if (name !== undefined && value !== undefined && !isLiteral) {
    const option = optionOf(context, name);
    return option ? completeValue(context, option, value, `${name}=`) : NOTHING;
  }
  if (word.startsWith('-') && !isLiteral) return startingWith(word, optionsOf(context));
  if (!command) return startingWith(word, commandsOf(program));
  return completeArgument(context, command, word);
}

const NOTHING: Completion = { kind: 'words', lead: '', candidates: [] };

function read(program: Command, words: readonly string[]): Omit<Context, 'signal'> {
  const context = {
    program,
    command: undefined as Command | undefined,
    args: [] as string[],
    pending: undefined as Option | undefined,
    isLiteral: false,
    store: undefined as string | undefined,
  };
  for (const word of words) {
    if (context.pending) {
      if (context.pending.long === '--store') context.store = expandHome(word);
      context.pending = undefined;
    } else if (!context.isLiteral && /^-./.test(word)) {
      if (word === '--') context.isLiteral = true;
      const [name = '', value] = word.startsWith('--')
        ? word.split(/=(.*)/s)
        : [word.slice(0, 2), word.slice(2)];
      const option = optionOf(context, name);
      const takesValue = option !== undefined && (option.required || option.optional);
      if (takesValue && !value) context.pending = option;
      if (value && option?.long === '--store') context.store = value;
    } else if (context.command) {
      const inside = context.args.length === 0 ? memberOf(context.command, word) : undefined;
      if (inside) context.command = inside;
      else context.args.push(word);
    } else {
      context.command = commandOf(program, word);
    }
  }
  return context;
}

/** A folder as the shell will give it to the program: on the line it is still `~/data`. */
function expandHome(address: string): string {
  return address.replace(/^~(?=\/|$)/, () => homedir());
}

/** A command of a group: `ls` of `cache`. */
function memberOf(group: Command, name: string): Command | undefined {
  return group.commands.find((command) => command.name() === name);
}

/** `help` is none of the commands that the program lists. */
function commandOf(program: Command, name: string): Command {
  return memberOf(program, name) ?? program.createCommand(name);
}

function optionOf(
  { program, command }: Pick<Context, 'program' | 'command'>,
  name: string,
): Option | undefined {
  const options = [...(command?.options ?? []), ...program.options];
  return options.find(({ long, short }) => long === name || short === name);
}

function optionsOf({ program, command }: Context): Candidate[] {
  const options = [...(command?.options ?? []), ...program.options].filter(({ hidden }) => !hidden);
  const candidates = options.map(({ long, short, description }) => ({
    value: long ?? short ?? '',
    description,
  }));
  return [...candidates, { value: '--help', description: 'print help' }];
}

function commandsOf(program: Command): Candidate[] {
  const commands = program.commands.map((command) => ({
    value: command.name(),
    description: command.description(),
  }));
  return [...commands, { value: 'help', description: 'print help for a command' }];
}

async function completeValue(
  context: Context,
  option: Option,
  word: string,
  lead: string,
): Promise<Completion> {
  if (option.argChoices) return { ...startingWith(word, option.argChoices.map(plain)), lead };
  const [, what = ''] = /[<[](\w+)/.exec(option.flags) ?? [];
  if (option.long === '--attempt') {
    const attempts = await attemptsOf(context.store, context.args[0] ?? '', context.signal);
    return { ...startingWith(word, ['latest-done', ...attempts].map(plain)), lead };
  }
  return { ...filesFor(what), lead };
}

async function completeArgument(context: Context, command: Command, word: string): Promise<Completion> {
  const { args, store, signal, program } = context;
  if (command.name() === 'help') {
    const group = args[0] === undefined ? program : memberOf(program, args[0]);
    return group ? startingWith(word, commandsOf(group)) : NOTHING;
  }
  if (command.commands.length > 0)
    return args.length === 0 ? startingWith(word, commandsOf(command)) : NOTHING;
  const known = command.registeredArguments;
  const argument = known[args.length] ?? (known.at(-1)?.variadic ? known.at(-1) : undefined);
  if (!argument) return NOTHING;
  if (argument.argChoices) return startingWith(word, argument.argChoices.map(plain));
  if (/\bkey$/.test(argument.name())) {
    const keys = await cacheKeysFrom(store, word, signal);
    return startingWith(word, keys.filter((key) => !args.includes(key)).map(plain));
  }
  const depth = depthOf(argument);
  if (depth > 0) {
    // `copy` names its stores itself.
    const [from = ''] = command.registeredArguments[0]?.name() === 'from' ? args : [];
    const paths = await childrenOfPath(from === '' ? store : expandHome(from), word, depth, signal);
    return { ...NOTHING, candidates: paths.map(plain) };
  }
  const [file] = /^[^=]+=/s.exec(word) ?? [];
  if (argument.description.includes('=<file>')) {
    return file === undefined ? NOTHING : { kind: 'files', lead: file, candidates: [] };
  }
  if (argument.name() !== 'artifact') return filesFor(argument.name());
  const artifacts = await artifactsOf(store, args[0] ?? '', signal);
  return startingWith(word, artifacts.filter((name) => !args.slice(1).includes(name)).map(plain));
}

/** The length that a path may have, by the argument's description: `<flow>/<run>[/<step>]`. 0 for what is no path. */
function depthOf(argument: Argument): number {
  if (argument.name() === 'flow') return 1;
  return argument.description.startsWith('<flow>') ? (argument.description.match(/</g) ?? []).length : 0;
}

function filesFor(what: string): Completion {
  if (what === 'file') return { ...NOTHING, kind: 'files' };
  return ['folder', 'uri', 'from', 'to'].includes(what) ? { ...NOTHING, kind: 'folders' } : NOTHING;
}

function startingWith(word: string, candidates: readonly Candidate[]): Completion {
  return { ...NOTHING, candidates: candidates.filter(({ value }) => value.startsWith(word)) };
}

function plain(value: string): Candidate {
  return { value };
}
