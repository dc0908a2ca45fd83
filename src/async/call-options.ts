/** What every call that may take long accepts. */
export interface CallOptions {
  /** Ends the call early with `ABORTED`. Default: none. */
  signal?: AbortSignal | undefined;
}
