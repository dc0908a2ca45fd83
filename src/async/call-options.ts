/** Options of every call that may take long. */
export interface CallOptions {
  /** Ends the call early with `ABORTED`. Default: none. */
  signal?: AbortSignal | undefined;
}
