/**
 * What `JSON.stringify` gives for plain data. A program may have put a `toJSON` on the prototypes of objects or arrays (old libraries did),
 * which would be asked for each of them: what is written to a store, or compared, must not depend on that.
 *
 * @throws RangeError where it is nested too deep for the stack, or longer than a string can be
 */
export function jsonText(value: unknown): string {
  if (!isPatched(Object.prototype) && !isPatched(Array.prototype)) return JSON.stringify(value);
  return unpatchedText(value) ?? 'null';
}

function isPatched(prototype: object): boolean {
  return typeof (prototype as { toJSON?: unknown }).toJSON === 'function';
}

/** `undefined` for what JSON leaves out: functions, symbols, `undefined`. */
function unpatchedText(value: unknown): string | undefined {
  if (typeof value === 'function') return undefined;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => unpatchedText(item) ?? 'null').join(',')}]`;
  const members: string[] = [];
  for (const [name, member] of Object.entries(value)) {
    const text = unpatchedText(member);
    if (text !== undefined) members.push(`${JSON.stringify(name)}:${text}`);
  }
  return `{${members.join(',')}}`;
}
