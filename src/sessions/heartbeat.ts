import { channel } from 'node:diagnostics_channel';
import { clearInterval, setInterval } from 'node:timers';
import { type BeatWait, beatName, encodeBeat } from '../format/open-session.ts';
import type { SessionId } from '../format/session-id.ts';
import type { DataStoreStorage } from '../storage/contract.ts';

/** Interval at which the owner of an open session says that it is alive. A collector calls a session silent after 24 hours without a beat. */
export const BEAT_INTERVAL_MS: number = 10 * 60 * 1000;

/** A message of the channel `stowage:heartbeat`: a beat that could not be written (the next one is tried all the same) or removed. */
export interface HeartbeatFailure {
  session: SessionId;
  error: unknown;
}

const heartbeatChannel = channel('stowage:heartbeat');

/** Overwrites `beats/<session>` while a session is open. Does not keep the process alive. */
export class Heartbeat {
  readonly #storage: DataStoreStorage;
  readonly #session: SessionId;
  readonly #waitsFor: () => readonly BeatWait[];
  readonly #timer: NodeJS.Timeout;
  #beating: Promise<void> = Promise.resolve();
  #beaten = false;

  /** @param waitsFor - asked at each beat for what the owner waits for. Default: nothing */
  constructor(
    storage: DataStoreStorage,
    session: SessionId,
    intervalMs: number = BEAT_INTERVAL_MS,
    waitsFor: () => readonly BeatWait[] = () => [],
  ) {
    this.#storage = storage;
    this.#waitsFor = waitsFor;
    this.#session = session;
    this.#timer = setInterval(() => {
      this.#beating = this.#beat();
    }, intervalMs);
    this.#timer.unref();
  }

  /** Ends the beats and removes the last one. Never throws: what it is called after has happened already. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#beating;
    if (!this.#beaten) return;
    this.#beaten = false;
    try {
      const [failure] = await this.#storage.delete([this.#name]);
      if (failure) this.#tell(failure.error);
    } catch (error) {
      this.#tell(error);
    }
  }

  get #name(): string {
    return beatName(this.#session);
  }

  async #beat(): Promise<void> {
    try {
      const beat = encodeBeat(this.#session, new Date().toISOString(), this.#waitsFor());
      await this.#storage.overwrite(this.#name, beat);
      this.#beaten = true;
    } catch (error) {
      this.#tell(error);
    }
  }

  #tell(error: unknown): void {
    const failure: HeartbeatFailure = { session: this.#session, error };
    heartbeatChannel.publish(failure);
  }
}
