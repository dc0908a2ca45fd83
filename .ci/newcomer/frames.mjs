// What somebody meets who saves a data frame, and has not installed what it needs. Usage: node frames.mjs
import assert from 'node:assert/strict';
import { FlowDataStore, isStowageError, MemoryStorage } from 'stowage';

const flow = await FlowDataStore.open({ flowName: 'Frames', storage: new MemoryStorage() });
const asksFor = (packages) => (error) =>
  isStowageError(error, 'CODEC_UNAVAILABLE') && error.message.includes(`npm install ${packages}`);
await assert.rejects(flow.frames.fromRows([{ id: 1 }]), asksFor('hyparquet hyparquet-writer'));
const file = await flow.files.fromData('x.parquet', 'PAR1');
await assert.rejects(flow.frames.existing(file), asksFor('hyparquet'));
await flow.close();
