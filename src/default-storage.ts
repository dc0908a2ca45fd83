import { invalidArgument, type StowageError } from './errors.ts';

const KIND_VARIABLE = 'STOWAGE_DEFAULT_DATASTORE';
const ROOT_VARIABLE = 'STOWAGE_DATASTORE_SYSROOT_';

/** The kinds of store that the environment can name, and what their addresses begin with; plain paths and the rest are `local`. */
const SCHEMES: Readonly<Record<string, readonly string[]>> = {
  local: [],
  s3: ['s3', 's3a', 's3n'],
  azure: ['az', 'azure', 'abfs', 'abfss'],
  gs: ['gs', 'gcs'],
  sqlite: ['sqlite'],
  postgres: ['postgres', 'postgresql'],
};
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['az', 'azure'],
  ['gcs', 'gs'],
  ['postgresql', 'postgres'],
]);
const EXAMPLES: Readonly<Record<string, string>> = {
  azure: 'az://container/prefix',
  sqlite: 'sqlite:path/to/runs.db',
  postgres: 'postgres://host/database',
};
/** Two letters at least, because one is a drive of Windows. */
const SCHEME = /^([a-z][a-z0-9+.-]+):/i;
/** The user and the password of an address with a host, which no error tells. */
const CREDENTIALS = /(?<=^[a-z][a-z0-9+.-]+:\/\/)[^/?#]*@/i;

/**
 * The address of a store when none is given: `./.stowage`, unless the environment names another. An empty variable counts as none.
 * Kinds beside these are those of `registerStorage`: their variable holds whatever address they take.
 *
 * @throws StowageError `INVALID_ARGUMENT` where the kind's variable is missing, or holds an address of another kind
 */
export function defaultStorageUri(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const asked = environment[KIND_VARIABLE] || 'local';
  const kind = ALIASES.get(asked.toLowerCase()) ?? asked.toLowerCase();
  const variable = ROOT_VARIABLE + kind.toUpperCase();
  const root = environment[variable];
  if (!root) {
    if (kind === 'local') return './.stowage';
    throw invalid(`${KIND_VARIABLE} is ${asked}, but ${howToSay(kind, variable)}.`, variable);
  }
  const scheme = SCHEME.exec(root)?.[1]?.toLowerCase() ?? '';
  const isOfKind = kind === 'local' ? kindOf(scheme) === undefined : kindOf(scheme) === kind;
  if (isOfKind || !Object.hasOwn(SCHEMES, kind)) return root;
  const other = kindOf(scheme) ?? 'local';
  throw invalid(
    `${variable} is "${plain(root, scheme)}", which is the address of a store of kind ${other}, not ${kind}; ` +
      (kind === 'local'
        ? `set ${KIND_VARIABLE}=${other} and ${ROOT_VARIABLE}${other.toUpperCase()}.`
        : `write ${exampleOf(kind)}.`),
    variable,
  );
}

function kindOf(scheme: string): string | undefined {
  return Object.keys(SCHEMES).find((kind) => SCHEMES[kind]?.includes(scheme));
}

function howToSay(kind: string, variable: string): string {
  if (Object.hasOwn(SCHEMES, kind))
    return `${variable} does not say where; set it to the store's address, such as ${exampleOf(kind)}`;
  return `this release has ${Object.keys(SCHEMES).join(', ')}; for a kind that registerStorage adds, set ${variable} to the store's address`;
}

function exampleOf(kind: string): string {
  return EXAMPLES[kind] ?? `${kind}://bucket/prefix`;
}

/** The container of Azure stands before the `@`, where others have a password. */
function plain(address: string, scheme: string): string {
  return kindOf(scheme) === 'azure' ? address : address.replace(CREDENTIALS, '');
}

function invalid(message: string, variable: string): StowageError {
  return invalidArgument(message, { variable });
}
