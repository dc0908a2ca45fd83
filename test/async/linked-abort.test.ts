import { describe, expect, it } from 'vitest';
import { LinkedAbort } from '../../src/async/linked-abort.ts';

describe('a signal that is made late', () => {
  it('is aborted as its source was, for the same reason, however many are between them', () => {
    const controller = new AbortController();
    const first = new LinkedAbort(controller.signal);
    const second = new LinkedAbort(first);
    controller.abort('enough');
    const late = new LinkedAbort(first);
    for (const { aborted, reason, signal } of [first, second, late])
      expect({ aborted, reason, isSignal: signal.aborted }).toEqual({
        aborted: true,
        reason: 'enough',
        isSignal: true,
      });
  });

  it('is left alone once it was released, and may be linked again', () => {
    const [former, next] = [new AbortController(), new AbortController()];
    const call = new LinkedAbort(former.signal);
    call.release();
    former.abort();
    expect([call.aborted, call.signal.aborted]).toEqual([false, false]);
    call.link(next.signal);
    let calls = 0;
    call.onAbort(() => {
      calls += 1;
    });
    const forget = call.onAbort(() => {
      calls += 10;
    });
    forget();
    next.abort('enough');
    call.abort('again');
    expect([calls, call.signal.reason]).toEqual([1, 'enough']);
  });
});
