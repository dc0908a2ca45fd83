import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { CheckSummary } from '../../maintenance/fsck/check-store.ts';
import { usageError } from '../cli-error.ts';

/** What is checked, as a state keeps it: another check goes on from it only with the same. */
export interface CheckedPart {
  /** `<flow>` or `<flow>/<run>`; empty for the whole store. */
  path: string;
  sample: number;
  seed: number;
  /** ISO 8601; `null` for everything. */
  since: string | null;
}

type Counts = Pick<CheckSummary['findings'], 'lost' | 'damaged' | 'unknown'>;

interface State extends CheckedPart {
  kind: 'stowage fsck';
  cursor: string;
  /** What the checks before found: of contents, which are not read again. */
  findings: Counts;
}

/** Written no more often. */
const EVERY_MS = 2_000;
const NONE: Counts = { lost: 0, damaged: 0, unknown: 0 };

/** How far a check has come, in a file that outlives its process; none, where nobody wants one. */
export class CheckState {
  readonly #path: string | undefined;
  readonly #before: State | undefined;
  #part: CheckedPart | undefined;
  #writtenAtMs = 0;

  /** @throws CliError `USAGE` for a file that is no state */
  constructor(path: string | undefined) {
    this.#path = path;
    this.#before = path === undefined ? undefined : readState(path);
  }

  /** What an interrupted check was of. */
  get before(): CheckedPart | undefined {
    return this.#before;
  }

  get cursor(): string | undefined {
    return this.#before?.cursor;
  }

  /** What the checks before found. */
  get findings(): Counts {
    return this.#before?.findings ?? NONE;
  }

  /** @throws CliError `USAGE` where the state is of another part of the store */
  begin(part: CheckedPart): void {
    this.#part = part;
    const { path, sample, since } = this.#before ?? part;
    if (path === part.path && sample === part.sample && since === part.since) return;
    throw usageError(
      `${this.#path} is the state of another check: of ${path === '' ? 'the whole store' : path}, ${sample * 100} % read${since === null ? '' : `, since ${since}`}. Give the same options, or remove it.`,
    );
  }

  /** Notes how far the check is, every two seconds at most. */
  note(cursor: string | undefined, findings: () => Counts): void {
    if (performance.now() - this.#writtenAtMs >= EVERY_MS) this.save(cursor, findings());
  }

  /** Notes how far the check is. */
  save(cursor: string | undefined, { lost, damaged, unknown }: Counts): void {
    if (this.#path === undefined || cursor === undefined || !this.#part) return;
    this.#writtenAtMs = performance.now();
    const before = this.findings;
    const findings = {
      lost: before.lost + lost,
      damaged: before.damaged + damaged,
      unknown: before.unknown + unknown,
    };
    const state: State = { kind: 'stowage fsck', ...this.#part, cursor, findings };
    const writing = `${this.#path}.writing`;
    writeFileSync(writing, `${JSON.stringify(state)}\n`);
    renameSync(writing, this.#path);
  }

  /** The check came to its end: the next one begins anew. */
  remove(): void {
    if (this.#path !== undefined) rmSync(this.#path, { force: true });
  }
}

function readState(path: string): State | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw usageError(`${path} cannot be read: ${(error as Error).message}`);
  }
  const state = parsed(text);
  if (state?.kind === 'stowage fsck' && typeof state.cursor === 'string' && state.findings) return state;
  throw usageError(`${path} is no state of a check; name another file, or remove it.`);
}

function parsed(text: string): State | undefined {
  try {
    return JSON.parse(text) as State;
  } catch {
    return undefined; // of whatever wrote it
  }
}
