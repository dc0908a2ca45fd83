import type { OptionKind } from '../options/option-table.ts';

/** The most bytes of a label, in UTF-8. */
const MAX_LABEL_BYTES = 256;
/** Characters that a line cannot hold. */
const NO_TEXT = /[\p{Cc}\p{Zl}\p{Zp}]|\p{Cs}/u;

/** What people call an attempt, beside the name of its task, which may be a digest: a line of text. */
export const LABEL: OptionKind = {
  expects: `a line of text of at most ${MAX_LABEL_BYTES} bytes that is not blank`,
  accepts: (value) =>
    typeof value === 'string' &&
    value.trim() !== '' &&
    Buffer.byteLength(value) <= MAX_LABEL_BYTES &&
    !NO_TEXT.test(value),
};
