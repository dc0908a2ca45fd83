// Cached tasks in a store, with its content elsewhere where that is named: node stowage-side.mjs <store> [<rawDataPath>]
import { FlowDataStore } from '../../dist/index.js';
import { answerFor } from './answer.mjs';
import { judge } from './work.mjs';

const [storage, rawDataPath] = process.argv.slice(2);
const flow = await FlowDataStore.open({ flowName: 'Bench', storage, rawDataPath });
await answerFor(flow.cachedTask({ name: 'judge', version: '1', run: judge }));
await flow.close();
