// Type-checked as CommonJS by the rules of Node.js 16, which could not require ES modules; never run.
import type { FlowDataStore } from 'stowage' with { 'resolution-mode': 'import' };

export async function open(): Promise<FlowDataStore> {
  const { FlowDataStore } = await import('stowage');
  return FlowDataStore.open({ flowName: 'Typed', storage: 'memory:' });
}
