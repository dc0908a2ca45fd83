/**
 * What `JSON.stringify` gives for plain data. A program may have put a `toJSON` on the prototypes of objects or arrays (old libraries did),
 * which would be asked for each of them: what is written to a store, or compared, must not depend on that.
 *
 * @throws RangeError where it is nested too deep for the stack, or longer than a string can be
 */
export function jsonText(value: unknown): string {
  if (typeof value === 'string' || (!isPatched(Object.prototype) && !isPatched(Array.prototype)))
    return JSON.stringify(value);
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

/** JSON text in pieces, which the text that it is part of is joined from: a long text takes a few times its memory to be copied. */
export class JsonPieces {
  readonly pieces: readonly string[];

  constructor(pieces: readonly string[]) {
    this.pieces = pieces;
  }
}

/** As {@link jsonText}, of an object of plain data whose own members may be {@link JsonPieces}, or `undefined`, which are left out. */
export function jsonTextOfMembers(members: object): string {
  return Object.values(members).some(isPieces) ? textWithPieces(members) : jsonText(members);
}

function isPieces(member: unknown): member is JsonPieces {
  return member instanceof JsonPieces;
}

function textWithPieces(members: object): string {
  const pieces: string[] = [];
  let plain: object = {};
  const endPlain = (): void => {
    const text = jsonText(plain);
    if (text.length > 2) pieces.push(pieces.length === 0 ? '{' : ',', text.slice(1, -1));
    plain = {};
  };
  for (const name of Object.keys(members)) {
    const member = (members as Record<string, unknown>)[name];
    if (isPieces(member)) {
      endPlain();
      pieces.push(pieces.length === 0 ? '{' : ',', jsonText(name), ':');
      for (const piece of member.pieces) pieces.push(piece);
    } else if (name === '__proto__') Object.defineProperty(plain, name, { value: member, enumerable: true });
    else if (member !== undefined) (plain as Record<string, unknown>)[name] = member;
  }
  endPlain();
  pieces.push('}');
  return pieces.join('');
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
