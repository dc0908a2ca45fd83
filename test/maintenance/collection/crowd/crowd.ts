import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { rolldown } from 'rolldown';
import type { FlowDataStore } from '../../../../src/flow-data-store.ts';
import { attemptBase } from '../../../../src/format/attempt-files.ts';
import { SESSION_FILES } from '../../../../src/format/session-files.ts';
import { RUNS_KEPT } from './contents.ts';
import { closedAttempts, listRuns } from './reading.ts';
import type { Role, Settings, Told } from './settings.ts';

const ROOT = join(import.meta.dirname, '../../../..');
const ROLES: readonly Role[] = ['writer', 'writer', 'reader', 'collector', 'collector'];
/** So often a process is killed, wherever it is, and another one of its kind is started. */
const KILL_EVERY_MS = 2_500;
/** One that did less has hardly begun, and is left alone. */
const LEAST_DEEDS = 3;

/** The settings of a crowd: all processes have them, but for `me`. */
export type CrowdSettings = Omit<Settings, 'me'>;

/** How often something was done, by what it is. */
export type Deeds = Map<string, number>;

/** Bundles the sources into one file below `folder`, since Node 20 runs no TypeScript. Resolves to its path. */
export async function bundleWorker(folder: string): Promise<string> {
  const file = join(folder, 'worker.mjs');
  const bundle = await rolldown({
    input: join(import.meta.dirname, 'worker.ts'),
    platform: 'node',
    external: (id) => !id.startsWith('.') && !id.startsWith(ROOT),
  });
  await bundle.write({ dir: folder, format: 'esm', entryFileNames: 'worker.mjs' });
  await bundle.close();
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return file;
}

/**
 * Lets writers, a reader and two collectors work on one store, each a process of its own that is killed at any moment and started again,
 * while old runs are given up. All are killed at the end, which is not before each of `deedsToSee` was done, however busy the machine is.
 *
 * @returns what they did
 * @throws Error with the failure of the first process that found something wrong
 */
export async function runCrowd(
  worker: string,
  user: FlowDataStore,
  settings: CrowdSettings,
  forMs: number,
  deedsToSee: readonly string[],
): Promise<Deeds> {
  const deeds: Deeds = new Map();
  const count = (did: string, times = 1): void => {
    deeds.set(did, (deeds.get(did) ?? 0) + times);
  };
  const failures: Error[] = [];
  const temporary = join(worker, '..', `tmp-${randomBytes(4).toString('hex')}`);
  mkdirSync(temporary);
  const start = (role: Role): Member => {
    const me = `${role[0]}${randomBytes(4).toString('hex')}`;
    const member = startMember(worker, role, { ...settings, me }, temporary);
    member.onTold = (told) => {
      if ('message' in told)
        failures.push(new Error(`${role}: ${told.code ?? ''} ${told.message}\n${told.stack}`));
      else count(told.code ? `${told.did} ${told.code}` : told.did);
      for (const [what, times] of Object.entries(('counts' in told && told.counts) || {})) count(what, times);
    };
    return member;
  };
  const members = ROLES.map(start);
  const endMs = performance.now() + forMs;
  try {
    const isOver = (): boolean => performance.now() >= endMs && deedsToSee.every((deed) => deeds.has(deed));
    for (let turn = 0; !isOver() && failures.length === 0; turn++) {
      const leftMs = endMs - performance.now();
      await sleep(leftMs > 0 ? Math.min(KILL_EVERY_MS, leftMs) : KILL_EVERY_MS);
      count('given up', await giveUpOldRuns(user, settings));
      const index = turn % members.length;
      const member = members[index] as Member;
      if (member.deeds < LEAST_DEEDS && !member.hasEnded()) continue;
      await member.kill();
      if (!member.wasKilled && failures.length === 0)
        throw new Error(`a ${member.role} ended: ${member.stderr()}`);
      count('killed');
      members[index] = start(member.role);
    }
  } finally {
    await Promise.all(members.map((member) => member.kill()));
  }
  const [failure] = failures;
  if (failure) throw failure;
  return deeds;
}

/** A process of a crowd. */
interface Member {
  readonly role: Role;
  /** `false` where it ended by itself. */
  readonly wasKilled: boolean;
  readonly deeds: number;
  hasEnded(): boolean;
  onTold: (told: Told) => void;
  stderr(): string;
  kill(): Promise<void>;
}

function startMember(worker: string, role: Role, settings: Settings, temporary: string): Member {
  const child: ChildProcess = spawn(process.execPath, [worker, role, JSON.stringify(settings)], {
    env: { ...process.env, TMPDIR: temporary, NODE_NO_WARNINGS: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close');
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-4_000);
  });
  let wasKilled = false;
  let deeds = 0;
  const member = {
    role,
    get wasKilled() {
      return wasKilled;
    },
    get deeds() {
      return deeds;
    },
    hasEnded: () => child.exitCode !== null,
    onTold: (_told: Told) => {},
    stderr: () => stderr,
    kill: async () => {
      wasKilled = child.exitCode === null && child.kill('SIGKILL');
      await ended;
    },
  };
  if (child.stdout) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      deeds += 1;
      // The last line of one that was killed may be torn.
      if (line.endsWith('}')) member.onTold(JSON.parse(line) as Told);
    });
  }
  return member;
}

/** What retention does: a mark, and then the description goes. Resolves to how many attempts were given up. */
async function giveUpOldRuns(flow: FlowDataStore, { runMs }: CrowdSettings): Promise<number> {
  const oldest = Math.floor(Date.now() / runMs) - RUNS_KEPT;
  let marked = 0;
  for (const run of await listRuns(flow)) {
    if (Number(run.slice(1)) >= oldest) continue;
    marked += await giveUp(flow, run, (task) => (task.length % 5 === 0 ? 'purged' : 'deleted'));
  }
  return marked;
}

/** Gives up all closed attempts of a run. Resolves to how many. */
export async function giveUp(
  flow: FlowDataStore,
  run: string,
  markOf: (task: string) => 'purged' | 'deleted',
): Promise<number> {
  let marked = 0;
  for await (const { path, attempt } of closedAttempts(flow, run)) {
    const mark = markOf(path.task);
    const base = attemptBase(path, attempt);
    await flow.storage.create(base + SESSION_FILES[mark], new Uint8Array(0));
    if (mark === 'deleted') await flow.storage.delete([base + SESSION_FILES.metadata]);
    marked += 1;
  }
  return marked;
}

/** Gives up everything that is left of a flow, closed sessions outside of tasks among it. */
export async function giveUpAll(flow: FlowDataStore): Promise<void> {
  for (const run of await listRuns(flow)) {
    await giveUp(flow, run, () => 'deleted');
  }
  for await (const page of flow.storage.list({ prefix: 'loose/' })) {
    for (const { name } of page.objects) {
      if (!name.endsWith(SESSION_FILES.done)) continue;
      await flow.storage.create(
        name.slice(0, -SESSION_FILES.done.length) + SESSION_FILES.deleted,
        new Uint8Array(0),
      );
    }
  }
}
