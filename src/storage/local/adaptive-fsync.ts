import type { LocalSystem } from './system.ts';

/** An fsync that takes no longer is cheaper on the main thread than the way to the thread pool and back. */
export const FAST_FSYNC_MS = 0.1;
/** The time from a slow fsync until one may try the main thread again. It doubles while they stay slow. */
export const MIN_PROBE_INTERVAL_MS = 1_000;
export const MAX_PROBE_INTERVAL_MS = 60_000;
/** After this many fast ones in a row, one slow fsync says more about a busy machine than about the disk. */
export const TRUSTED_STREAK = 32;
/** The time until the main thread is tried again then. */
export const TRUSTED_PROBE_INTERVAL_MS = 5;

/**
 * Syncs files where it is cheapest. On a tmpfs an fsync takes a microsecond and a round trip to the thread pool sixty;
 * on a disk an fsync takes hundreds, which would block the event loop. So it runs on the main thread while the last
 * one there was fast, and moves to the pool once one is slow; from then on the main thread is tried rarely.
 */
export class AdaptiveFsync {
  readonly #system: LocalSystem;
  #isFast = true;
  #fastInARow = 0;
  #probeAtMs = 0;
  #probeIntervalMs = MIN_PROBE_INTERVAL_MS;

  constructor(system: LocalSystem) {
    this.#system = system;
  }

  /** Syncs an open file. Returns `undefined` when that is done already, else a promise of it. */
  sync(fd: number): Promise<void> | undefined {
    const startMs = this.#system.nowMs();
    if (!this.#isFast && startMs < this.#probeAtMs) return this.#system.fsync(fd);
    this.#system.fsyncSync(fd);
    const endMs = this.#system.nowMs();
    this.#learn(endMs - startMs <= FAST_FSYNC_MS, endMs);
    return undefined;
  }

  #learn(isFast: boolean, nowMs: number): void {
    if (isFast) {
      this.#fastInARow += 1;
    } else {
      this.#probeIntervalMs = this.#nextIntervalMs();
      this.#probeAtMs = nowMs + this.#probeIntervalMs;
      this.#fastInARow = 0;
    }
    this.#isFast = isFast;
  }

  #nextIntervalMs(): number {
    if (this.#fastInARow >= TRUSTED_STREAK) return TRUSTED_PROBE_INTERVAL_MS;
    if (this.#isFast) return MIN_PROBE_INTERVAL_MS;
    return Math.min(Math.max(this.#probeIntervalMs * 2, MIN_PROBE_INTERVAL_MS), MAX_PROBE_INTERVAL_MS);
  }
}
