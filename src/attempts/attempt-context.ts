import type { ContentAddressedStore } from '../content-addressed-store.ts';
import type { SerializerRegistry } from '../values/registry.ts';

/** What attempts of one store share. */
export interface AttemptContext {
  content: ContentAddressedStore;
  registry: SerializerRegistry;
  /** Serialized values up to this many bytes are kept in metadata.json. */
  maxInlineBytes: number;
  /** How often an open attempt shows that it is alive, in milliseconds. */
  beatIntervalMs?: number | undefined;
}

/** The default of {@link AttemptContext.maxInlineBytes}. */
export const DEFAULT_MAX_INLINE_BYTES: number = 16 * 1024;
