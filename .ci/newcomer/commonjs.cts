// Type-checked as CommonJS, which Node.js requires; never run.
import { FlowDataStore } from 'stowage';

export const open = (): Promise<FlowDataStore> =>
  FlowDataStore.open({ flowName: 'Typed', storage: 'memory:' });
