// Cached tasks in the store that the first argument names: node stowage-side.mjs <store>
import { FlowDataStore } from '../../dist/index.js';
import { answerFor } from './answer.mjs';
import { judge } from './work.mjs';

const flow = await FlowDataStore.open({ flowName: 'Bench', storage: process.argv[2] });
await answerFor(flow.cachedTask({ name: 'judge', version: '1', run: judge }));
await flow.close();
