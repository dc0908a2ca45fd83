import { fsync, fsyncSync, linkSync, lstatSync, renameSync, type Stats, statfsSync } from 'node:fs';
import { promisify } from 'node:util';
import { clockMs } from '../../async/clock.ts';

/** The system calls whose speed or failure matters, so that tests can put others in their place. */
export interface LocalSystem {
  /** Milliseconds of a clock that never goes back. */
  nowMs(): number;
  fsyncSync(fd: number): void;
  fsync(fd: number): Promise<void>;
  linkSync(from: string, to: string): void;
  renameSync(from: string, to: string): void;
  /** Asks whether names fold case. */
  lstatSync(path: string): Stats;
  /** Asks what kind of file system a folder lies on. */
  statfsSync(path: string): { type: number };
}

export const REAL_SYSTEM: LocalSystem = {
  nowMs: clockMs,
  fsyncSync,
  fsync: promisify(fsync),
  linkSync,
  renameSync,
  lstatSync,
  statfsSync,
};
