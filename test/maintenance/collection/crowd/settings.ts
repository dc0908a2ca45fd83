import type { OpenStorageOptions } from '../../../../src/storage/open.ts';

export type Role = 'writer' | 'reader' | 'retention' | 'collector';

/** What a process of the crowd is told. */
export interface Settings {
  address: string;
  /** Those of a bucket. */
  storageOptions: OpenStorageOptions | undefined;
  /** A name that no other process has. */
  me: string;
  /** The folder of what collections remember, which the collectors share. */
  memory: string;
  /** A run takes so long; the next one follows it. */
  runMs: number;
  /** Collectors take sessions that were opened so long ago for silent, where others wait for a day. */
  silentAfterMs: number;
}

/** A line that a process of the crowd prints. */
export type Told =
  | { did: string; code?: string; counts?: Record<string, number> }
  | { did: 'failed'; message: string; stack: string; code?: string; details?: unknown };
