import { buildIndex } from './commands/build-index.ts';
import { cacheEvict } from './commands/cache-evict.ts';
import { cacheExplain } from './commands/cache-explain.ts';
import { cacheLs } from './commands/cache-ls.ts';
import { cacheShow } from './commands/cache-show.ts';
import { cacheStats } from './commands/cache-stats.ts';
import { code } from './commands/code.ts';
import { completion } from './commands/completion.ts';
import { copy } from './commands/copy.ts';
import { diff } from './commands/diff.ts';
import { du } from './commands/du.ts';
import { erase } from './commands/erase.ts';
import { find } from './commands/find.ts';
import { finish } from './commands/finish.ts';
import { fsck } from './commands/fsck.ts';
import { gc } from './commands/gc.ts';
import { get } from './commands/get.ts';
import { lineage } from './commands/lineage.ts';
import { log } from './commands/log.ts';
import { ls } from './commands/ls.ts';
import { pin, unpin } from './commands/pin.ts';
import { policyRm, policySet, policyShow } from './commands/policy.ts';
import { preview } from './commands/preview.ts';
import { publish } from './commands/publish.ts';
import { published } from './commands/published.ts';
import { put } from './commands/put.ts';
import { report } from './commands/report.ts';
import { rm } from './commands/rm.ts';
import { runs } from './commands/runs.ts';
import { show } from './commands/show.ts';
import { sql } from './commands/sql.ts';
import { stat } from './commands/stat.ts';
import { ui } from './commands/ui.ts';
import { uploads } from './commands/uploads.ts';
import type { CommandDeclaration, GroupDeclaration, OptionDeclaration } from './declaration.ts';

/** All commands, in the order of help. */
export const COMMANDS: readonly (CommandDeclaration | GroupDeclaration)[] = [
  runs,
  ls,
  show,
  get,
  preview,
  put,
  finish,
  log,
  report,
  code,
  publish,
  published,
  diff,
  stat,
  find,
  lineage,
  du,
  sql,
  buildIndex,
  ui,
  pin,
  unpin,
  rm,
  gc,
  {
    name: 'policy',
    text: 'what the store is to keep: shown, saved and removed',
    commands: [policyShow, policySet, policyRm],
  },
  fsck,
  uploads,
  copy,
  erase,
  {
    name: 'cache',
    text: 'list, explain and evict the stored results of cached tasks',
    commands: [cacheLs, cacheShow, cacheExplain, cacheEvict, cacheStats],
  },
  completion,
];

export const VERSION_OPTION: OptionDeclaration = { flags: '-V, --version', text: 'print the version' };
export const HELP_OPTION: OptionDeclaration = { flags: '-h, --help', text: 'print help' };
export const HELP_TEXT = 'print help for a command';

/** The options that every command takes. */
export const COMMON_OPTIONS: readonly OptionDeclaration[] = [
  { flags: '--store <uri>', text: 'where the store lies: a path or a URI', completion: 'folder' },
  { flags: '--json', text: 'one JSON document instead of tables' },
  {
    flags: '--fit <size>',
    text: 'with --json: cut long texts and lists, so that the document takes at most so much (1MB)',
  },
  { flags: '--no-color', text: 'no colours (NO_COLOR does the same)' },
  { flags: '--debug', text: 'errors with their stacks, and warnings' },
];
