import { homedir } from 'node:os';
import { COMMANDS, COMMON_OPTIONS, HELP_OPTION, HELP_TEXT, VERSION_OPTION } from '../command-table.ts';
import {
  type CommandDeclaration,
  type Completion as Declared,
  flagsOf,
  type GroupDeclaration,
  type OptionDeclaration,
} from '../declaration.ts';
import { artifactsOf, attemptsOf, cacheKeysFrom, childrenOfPath, reportsOfTask } from './store-candidates.ts';

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
  /** `help` stands for itself, and a name that no command has for none. */
  command: CommandDeclaration | GroupDeclaration | 'help' | 'unknown' | undefined;
  /** Arguments of the command. */
  args: string[];
  /** The option that the next word is the value of. */
  pending: OptionDeclaration | undefined;
  /** Behind `--` there are no options. */
  isLiteral: boolean;
  store: string | undefined;
}

const NOTHING: Completion = { kind: 'words', lead: '', candidates: [] };
const FILES: Completion = { ...NOTHING, kind: 'files' };
const FOLDERS: Completion = { ...NOTHING, kind: 'folders' };

/** Completes `word` behind `words`, by the table of commands and by the store. */
export async function complete(
  words: readonly string[],
  word: string,
  signal: AbortSignal,
): Promise<Completion> {
  const context = read(words);
  const { pending, isLiteral, command } = context;
  if (pending) return completeOption(context, pending, word, signal);
  const [, name, value] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
  if (name !== undefined && value !== undefined && !isLiteral) {
    const option = optionOf(context, name);
    return option ? { ...(await completeOption(context, option, value, signal)), lead: `${name}=` } : NOTHING;
  }
  if (word.startsWith('-') && !isLiteral) return startingWith(word, optionsOf(context).map(optionCandidate));
  if (!command) return startingWith(word, commandCandidates(COMMANDS));
  return completeArgument(context, word, signal);
}

function read(words: readonly string[]): Context {
  const context: Context = {
    command: undefined,
    args: [],
    pending: undefined,
    isLiteral: false,
    store: undefined,
  };
  for (const word of words) {
    const { command, pending } = context;
    if (pending) {
      if (flagsOf(pending).long === '--store') context.store = expandHome(word);
      context.pending = undefined;
    } else if (!context.isLiteral && /^-./.test(word)) {
      readOption(context, word);
    } else if (command === undefined) {
      context.command = COMMANDS.find(({ name }) => name === word) ?? (word === 'help' ? word : 'unknown');
    } else {
      const member =
        context.args.length === 0 ? membersOf(command).find(({ name }) => name === word) : undefined;
      if (member) context.command = member;
      else context.args.push(word);
    }
  }
  return context;
}

function readOption(context: Context, word: string): void {
  if (word === '--') context.isLiteral = true;
  const isLong = word.startsWith('--');
  const [name = '', value] = isLong ? word.split(/=(.*)/s) : [word.slice(0, 2), word.slice(2)];
  const option = optionOf(context, name);
  if (!option) return;
  const { long, takesValue } = flagsOf(option);
  if (takesValue && !value) context.pending = option;
  if (value && long === '--store') context.store = value;
}

/** A folder as the shell will give it to the program: on the line it is still `~/data`. */
function expandHome(address: string): string {
  return address.replace(/^~(?=\/|$)/, () => homedir());
}

/** The commands of a group. */
function membersOf(command: Context['command']): readonly CommandDeclaration[] {
  return typeof command === 'object' && 'commands' in command ? command.commands : [];
}

function optionsOf({ command }: Context): OptionDeclaration[] {
  const own = typeof command === 'object' && 'options' in command ? (command.options ?? []) : [];
  return [...own, VERSION_OPTION, ...COMMON_OPTIONS, HELP_OPTION];
}

function optionOf(context: Context, name: string): OptionDeclaration | undefined {
  return optionsOf(context).find((option) => {
    const { long, short } = flagsOf(option);
    return long === name || short === name;
  });
}

function optionCandidate(option: OptionDeclaration): Candidate {
  return { value: flagsOf(option).long, description: option.text };
}

function commandCandidates(commands: readonly (CommandDeclaration | GroupDeclaration)[]): Candidate[] {
  const own = commands.map(({ name, text }) => ({ value: name, description: text }));
  return [...own, { value: 'help', description: HELP_TEXT }];
}

async function completeOption(
  { args, store }: Context,
  { choices, completion }: OptionDeclaration,
  word: string,
  signal: AbortSignal,
): Promise<Completion> {
  if (choices) return startingWith(word, choices.map(plain));
  if (completion === 'attempt') {
    const attempts = await attemptsOf(store, args[0] ?? '', signal);
    return startingWith(word, ['latest-done', ...attempts].map(plain));
  }
  return shellCompletion(completion);
}

async function completeArgument(
  { command, args, store }: Context,
  word: string,
  signal: AbortSignal,
): Promise<Completion> {
  if (command === 'help') {
    if (args.length === 0) return startingWith(word, commandCandidates(COMMANDS));
    const members = membersOf(COMMANDS.find(({ name }) => name === args[0]));
    return members.length > 0 ? startingWith(word, commandCandidates(members)) : NOTHING;
  }
  if (typeof command !== 'object') return NOTHING;
  if ('commands' in command)
    return args.length === 0 ? startingWith(word, commandCandidates(command.commands)) : NOTHING;
  const known = command.arguments ?? [];
  const last = known.at(-1);
  const argument = known[args.length] ?? (last?.form.includes('...') ? last : undefined);
  if (!argument) return NOTHING;
  const { choices, completion } = argument;
  if (choices) return startingWith(word, choices.map(plain));
  if (typeof completion === 'object') {
    // `copy` names its stores itself.
    const from = known[0]?.form === '<from>' ? args[0] : undefined;
    const paths = await childrenOfPath(from ? expandHome(from) : store, word, completion.path, signal);
    return { ...NOTHING, candidates: paths.map(plain) };
  }
  switch (completion) {
    case 'cache key': {
      const keys = await cacheKeysFrom(store, word, signal);
      return startingWith(word, keys.filter((key) => !args.includes(key)).map(plain));
    }
    case 'artifact': {
      const artifacts = await artifactsOf(store, args[0] ?? '', signal);
      return startingWith(word, artifacts.filter((name) => !args.slice(1).includes(name)).map(plain));
    }
    case 'report':
      return startingWith(word, (await reportsOfTask(store, args[0] ?? '', signal)).map(plain));
    case 'artifact=file': {
      const [file] = /^[^=]+=/s.exec(word) ?? [];
      return file === undefined ? NOTHING : { ...FILES, lead: file };
    }
    default:
      return shellCompletion(completion);
  }
}

/** Leaves it to the shell to find files and folders. */
function shellCompletion(declared: Declared | undefined): Completion {
  if (declared === 'file') return FILES;
  return declared === 'folder' ? FOLDERS : NOTHING;
}

function startingWith(word: string, candidates: readonly Candidate[]): Completion {
  return { ...NOTHING, candidates: candidates.filter(({ value }) => value.startsWith(word)) };
}

function plain(value: string): Candidate {
  return { value };
}
