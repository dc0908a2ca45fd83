import { messageOf } from '../errors.ts';
import { nextCut as referenceCut } from './chunker.ts';
import { groupBytes as referenceGroup, ungroupBytes as referenceUngroup } from './grouping.ts';
import { type Kernel, loadWasmKernel } from './kernel-wasm.ts';

export type { Kernel } from './kernel-wasm.ts';

/** The definition of what every kernel computes, and the kernel where WebAssembly is missing (`node --jitless`). */
export const REFERENCE_KERNEL: Kernel = {
  implementation: 'javascript',
  nextCut: referenceCut,
  groupBytes: referenceGroup,
  ungroupBytes: referenceUngroup,
};

let chosen: Kernel | undefined;

/**
 * The kernel that `load` makes, else the reference and a warning of the process: a store works without WebAssembly, but
 * slower, and nobody should have to guess why.
 */
export function chooseKernel(load: () => Kernel = loadWasmKernel): Kernel {
  try {
    return load();
  } catch (error) {
    process.emitWarning(
      `WebAssembly does not run here (${messageOf(error)}), so large content is cut and grouped in JavaScript, at a third of the speed.`,
      { type: 'StowageWarning', code: 'STOWAGE_SLOW_KERNEL' },
    );
    return REFERENCE_KERNEL;
  }
}

function kernel(): Kernel {
  chosen ??= chooseKernel();
  return chosen;
}

/** The kernel that this process uses, chosen once. */
export function kernelImplementation(): Kernel['implementation'] {
  return kernel().implementation;
}

/** The end of the chunk that begins at `start`; see `chunker.ts`. */
export function nextCut(bytes: Uint8Array, start: number, end: number): number {
  return kernel().nextCut(bytes, start, end);
}

/** Groups the bytes of elements into `target`; see `grouping.ts`. */
export function groupBytes(bytes: Uint8Array, elementBytes: number, target: Uint8Array): void {
  kernel().groupBytes(bytes, elementBytes, target);
}

/** The inverse of {@link groupBytes}. */
export function ungroupBytes(bytes: Uint8Array, elementBytes: number, target: Uint8Array): void {
  kernel().ungroupBytes(bytes, elementBytes, target);
}
