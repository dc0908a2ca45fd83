import { inspect } from 'node:util';
import { bytesOfView } from './element-types.ts';
import { refusedExtraProperty, refusedSymbolKey } from './refused-kinds.ts';

/** All that shapes the text: a program may have set `inspect.defaultOptions` otherwise. */
const ONLY_PROPERTIES = {
  maxArrayLength: 0,
  depth: 0,
  customInspect: false,
  showHidden: false,
  compact: 3,
  breakLength: Infinity,
} as const;
const LISTABLE_LENGTH = 128;
/** What `inspect` says, to the letter, of a typed array without properties of its own. */
const WITHOUT_PROPERTIES = /^\w+\(\d+\)(?: \[\w+\])? \[ \.\.\. \d+ more items? \]$/;

/**
 * The bytes of a typed array or DataView. One with a property of its own beside its elements is refused: it would not come back, and
 * since a function can see it, two that differ in it must not share a key.
 */
export function viewBytes(view: ArrayBufferView): Uint8Array {
  const [symbol] = Object.getOwnPropertySymbols(view);
  if (symbol !== undefined) throw refusedSymbolKey(symbol);
  if (hasProperties(view)) throw refusedExtraProperty('length' in view ? 'a typed array' : 'a DataView');
  return bytesOfView(view);
}

/** Listing the keys of a long one makes a string of every index; `inspect` finds the others without. Its text is no contract: where it says anything else they are listed. */
function hasProperties(view: ArrayBufferView): boolean {
  const length = 'length' in view ? (view.length as number) : 0;
  if (length > LISTABLE_LENGTH && WITHOUT_PROPERTIES.test(inspect(view, ONLY_PROPERTIES))) return false;
  return Object.keys(view).length !== length;
}
