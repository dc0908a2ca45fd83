import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { rolldown } from 'rolldown';
import type { Role, Settings, Told } from './settings.ts';

const ROOT = join(import.meta.dirname, '../../../..');
const ROLES: readonly Role[] = ['writer', 'writer', 'reader', 'retention', 'collector', 'collector'];
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
 * Lets writers, a reader, retention and two collectors work on one store, each a process of its own that is killed at any moment and started
 * again. All are killed at the end, which is not before each of `deedsToSee` was done, however busy the machine is.
 *
 * @returns what they did
 * @throws Error with the failure of the first process that found something wrong
 */
export async function runCrowd(
  worker: string,
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
      for (const [what, times] of Object.entries(('counts' in told && told.counts) || {}))
        if (times > 0) count(what, times);
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
