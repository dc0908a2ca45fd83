import { createContext, runInContext } from 'node:vm';

function inner(): never {
  throw new Error('inner');
}

function withGetter(member: string): Error {
  return Object.defineProperty(new Error('outer'), member, { get: inner });
}

function withMember(member: string, value: unknown): Error {
  return Object.assign(new Error('outer'), { [member]: value });
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function cycle(): Error {
  const error = new Error('cycle');
  error.cause = new Error('on the way', { cause: error });
  return error;
}

function* endless(): Generator<string> {
  for (;;) yield 'member';
}

const hostile = new Proxy({}, { get: inner, has: inner, getPrototypeOf: inner, ownKeys: inner });
const elsewhere = createContext({});

/** What code may throw, though nobody should: each does something of its own when it is looked at. */
export const STRANGE_ERRORS: readonly [string, unknown][] = [
  ...['message', 'stack', 'name', 'cause', 'recoverable', 'errors', 'code', 'toString', 'constructor'].map(
    (member): [string, unknown] => [`a getter of ${member} that throws`, withGetter(member)],
  ),
  ...['message', 'name', 'stack', 'cause', 'code'].flatMap((member): [string, unknown][] => [
    [`a Symbol for its ${member}`, withMember(member, Symbol('no text'))],
    [`an object without prototype for its ${member}`, withMember(member, Object.create(null))],
    [`a revoked proxy for its ${member}`, withMember(member, revoked())],
  ]),
  ['a cause that cannot be read', new Error('outer', { cause: withGetter('message') })],
  ['members that cannot be read', new AggregateError([withGetter('message'), revoked(), undefined, 'text'])],
  ['members without end', Object.assign(new AggregateError([]), { errors: endless() })],
  ['members that are no list', withMember('name', 'AggregateError')],
  ['a cycle of causes', cycle()],
  ['made of DOMException.prototype', Object.create(DOMException.prototype)],
  ['made of Error.prototype', Object.create(Error.prototype)],
  ['a revoked proxy', revoked()],
  ['a proxy that throws', hostile],
  ['a revoked proxy of an error', new Proxy(new Error('outer'), { get: inner, getPrototypeOf: inner })],
  ['an object without prototype', Object.create(null)],
  ['toString throws', { toString: inner }],
  ['toJSON throws', { toJSON: inner }],
  ['inspection throws', { [Symbol.for('nodejs.util.inspect.custom')]: inner }],
  ['a bigint inside', { big: 1n }],
  ['a function', inner],
  ['a symbol', Symbol('thrown')],
  ['a bigint', 7n],
  ['undefined', undefined],
  ['null', null],
  ['an empty text', ''],
  ['half a surrogate pair', '\ud800'],
  ['an error of another realm', runInContext("new RangeError('elsewhere')", elsewhere)],
  ['an object of another realm', runInContext('({ code: 7 })', elsewhere)],
];
