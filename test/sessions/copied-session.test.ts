import { describe, expect, it } from 'vitest';
import { digestHex } from '../../src/digest/blake3.ts';
import { copiedSessionId } from '../../src/sessions/copied-session.ts';

const [FIRST, SECOND] = ['0'.repeat(26), `7${'v'.repeat(25)}`] as const;

describe('the session of a copy', () => {
  it('is derived as docs/format.md says', () => {
    const digest = digestHex(Buffer.from(`["stowage copy 1","${FIRST}","${SECOND}"]`));
    const session = BigInt(`0x${digest.slice(0, 32)}`)
      .toString(32)
      .padStart(26, '0');
    expect(copiedSessionId(FIRST, { store: 'any', session: SECOND })).toBe(session);
  });

  it('differs between stores, and between results', () => {
    const ids = [
      copiedSessionId(FIRST, { store: FIRST, session: FIRST }),
      copiedSessionId(FIRST, { store: FIRST, session: SECOND }),
      copiedSessionId(SECOND, { store: FIRST, session: FIRST }),
    ];
    expect(new Set(ids).size).toBe(3);
  });
});
