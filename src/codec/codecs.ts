/** The encoding of a payload. */
export type Codec = 'raw' | 'zstd' | 'grouped-zstd';
