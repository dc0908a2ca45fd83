import { createRequire } from 'node:module';

type Msgpack = typeof import('@msgpack/msgpack');

const require = createRequire(import.meta.url);
let library: Msgpack | undefined;

/** MessagePack for manifests; loaded when the first one is met, which many processes never do. */
export function msgpack(): Msgpack {
  library ??= require('@msgpack/msgpack') as Msgpack;
  return library;
}
