import { writeSync } from 'node:fs';
import type { TaskPath } from '../format/pathspec.ts';

/** The code of the warning that attempts were left open. */
const CODE = 'STOWAGE_NOT_DONE';
/** The warning names so many attempts. */
const MAX_TOLD = 5;

/** An attempt as the warning names it. */
interface Named {
  readonly path: TaskPath;
  readonly pathspec: string;
}

/** The names of the attempts of this process that are open. It does not hold the attempts, which may be garbage. */
const open = new Map<object, string>();
let isListening = false;
let isTold = false;

/** Notes that an attempt is open, under a key of its own. If it is when the process ends, that is told. */
export function noteOpen(key: object, { path, pathspec }: Named): void {
  open.set(key, `${path.flow}/${pathspec}`);
  if (isListening) return;
  isListening = true;
  process.on('beforeExit', tellAsWarning);
  process.on('exit', tellAtLast);
}

/** Notes that an attempt was closed, or abandoned. */
export function noteEnded(key: object): void {
  open.delete(key);
}

/** The process has nothing left to do: nobody will close them. */
function tellAsWarning(): void {
  const text = textOf([...open.values()]);
  if (text === undefined || isTold) return;
  isTold = true;
  process.emitWarning(text, { type: 'StowageWarning', code: CODE });
}

/** `process.exit()` leaves no turn to emit a warning in. Where it says that something failed, that is enough. */
function tellAtLast(exitCode: number): void {
  const text = textOf([...open.values()]);
  if (text === undefined || isTold || exitCode !== 0 || isSilenced()) return;
  isTold = true;
  try {
    writeSync(process.stderr.fd, `(node:${process.pid}) [${CODE}] StowageWarning: ${text}\n`);
  } catch {
    // Nobody reads the standard error.
  }
}

/** Node.js was told to show no warnings. */
function isSilenced(): boolean {
  return process.env.NODE_NO_WARNINGS === '1' || process.execArgv.includes('--no-warnings');
}

function textOf(attempts: readonly string[]): string | undefined {
  if (attempts.length === 0) return undefined;
  const shown = attempts.slice(0, MAX_TOLD).join(', ');
  const more = attempts.length > MAX_TOLD ? ` and ${attempts.length - MAX_TOLD} more` : '';
  const [which, them, was] = attempts.length === 1 ? ['Attempt', 'it', 'was'] : ['Attempts', 'them', 'were'];
  return `${which} ${shown}${more} ${was} neither done nor failed when the process ended, so that what was saved in ${them} cannot be read. Call done() when the work is complete, and await it, or use flow.task(spec, work), which does so.`;
}
