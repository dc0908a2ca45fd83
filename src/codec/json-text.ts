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

/** The JSON text of a value, kept in its place: it is written as it is, and parsed for whoever asks for the value. */
export class KeptJson<T = unknown> {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** The value, made anew each time. */
  get json(): T {
    return JSON.parse(this.text) as T;
  }
}

/** As {@link jsonText}, of an object of plain data whose own members may be {@link KeptJson}, or `undefined`, which are left out. */
export function jsonTextOfMembers(members: object): string {
  if (!Object.values(members).some((member) => member instanceof KeptJson)) return jsonText(members);
  const texts: string[] = [];
  for (const [name, member] of Object.entries(members)) {
    if (member === undefined) continue;
    texts.push(`${jsonText(name)}:${member instanceof KeptJson ? member.text : jsonText(member)}`);
  }
  return `{${texts.join(',')}}`;
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
