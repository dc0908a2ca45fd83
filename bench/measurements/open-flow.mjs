import { FlowDataStore } from '../../dist/index.js';

/** Opens the flow of a round. `root` is an address, or options that hold one. */
export function openFlow(root) {
  return FlowDataStore.open({ flowName: 'Bench', ...(typeof root === 'string' ? { storage: root } : root) });
}
