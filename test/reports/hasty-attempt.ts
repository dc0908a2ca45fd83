import { openAttempt } from '../../src/attempts/attempt-opening.ts';
import { DEFAULT_MAX_INLINE_BYTES } from '../../src/attempts/inline-value.ts';
import type { OpenAttempt } from '../../src/attempts/open-attempt.ts';
import type { FlowDataStore } from '../../src/flow-data-store.ts';
import { DEFAULT_OWN_BYTES } from '../../src/format/own-values.ts';
import { SerializerRegistry } from '../../src/values/registry.ts';
import { afterThisTest } from '../cleanups.ts';

const path = { flow: 'Test', run: 'r1', step: 'fit', task: '0' };

/** The next attempt of the task `r1/fit/0`, whose reports are renewed at once. */
export async function openHasty(flow: FlowDataStore, reportRenewMs = 1): Promise<OpenAttempt> {
  const settings = { maxInlineBytes: DEFAULT_MAX_INLINE_BYTES, ownBytes: DEFAULT_OWN_BYTES };
  const context = { content: flow.caStore, registry: new SerializerRegistry(), reportRenewMs, ...settings };
  await flow.caStore.prepareToWrite({});
  const attempt = await openAttempt(context, path, {});
  afterThisTest(() => attempt.abandon());
  return attempt;
}
