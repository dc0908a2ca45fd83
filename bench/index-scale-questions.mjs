import { artifactKey, FLOW, runName, startOf, tagOf } from './index-scale-store.mjs';

/** Questions to an index about a run in the middle, by the number of the run; `isWhole` goes through all artifacts, and is asked once. */
export function questionsOf(number) {
  const run = runName(number);
  const limit = 20;
  return [
    {
      what: 'find: a step, `auc > 0.999`',
      ask: (index) => index.find({ flow: FLOW, step: 'fit', metadata: { auc: { gt: 0.999 } }, limit }),
    },
    {
      what: 'find: a step, `auc > 0.5`',
      ask: (index) => index.find({ flow: FLOW, step: 'fit', metadata: { auc: { gt: 0.5 } }, limit }),
    },
    {
      what: 'find: a step, a tag',
      ask: (index) => index.find({ step: 'fit', tag: tagOf(number), limit }),
    },
    {
      what: 'find: a content, by its key',
      ask: (index) => index.find({ key: artifactKey(number, 1, '7'), limit }),
    },
    {
      what: 'find: failed, since a day',
      ask: (index) => index.find({ status: 'failed', since: startOf(number), limit }),
    },
    { what: 'find: the newest', ask: (index) => index.find({ limit }) },
    { what: 'find: a run, all 1,000 tasks', ask: (index) => index.find({ flow: FLOW, run }) },
    {
      what: 'lineage: a task, three steps up',
      ask: (index) => index.lineage(`${FLOW}/${run}/report/7`, { up: true }),
    },
    {
      what: 'lineage: a task, three steps down',
      ask: (index) => index.lineage(`${FLOW}/${run}/prepare/7`, { down: true }),
    },
    { what: 'usage: a run', ask: (index) => index.usage({ by: 'run', flow: FLOW, run }) },
    { what: 'usage: the store', ask: (index) => index.usage(), isWhole: true },
  ];
}
