import { inspect, types } from 'node:util';
import { Refusal } from './faults.ts';
import { classNameOf } from './intrinsics.ts';
import type { Serializer, SerializerChoice } from './serializer.ts';

/** The answer of a serializer that was asked about a value. */
type Answer = 'accepts' | 'declines' | { readonly thrown: unknown } | Refusal;

/** Values that a serializer is known to refuse, though it accepts them. */
export type RefusalOf = (serializer: Serializer, value: unknown) => Refusal | undefined;

/** Tells why each of `serializers`, in the order they are tried, is used for `value` or is not. */
export function explainChoice(
  serializers: readonly Serializer[],
  value: unknown,
  asked: string | undefined,
  refusalOf: RefusalOf,
): SerializerChoice[] {
  let decided: string | undefined = asked === undefined ? undefined : `"${asked}" was asked for`;
  return serializers.map((serializer) => {
    const { id, priority } = serializer;
    const answer = ask(serializer, value, refusalOf);
    if (id !== asked && decided !== undefined) {
      return { id, priority, chosen: false, reason: `It is not tried: ${decided}. ${otherwise(answer)}` };
    }
    if (answer === 'accepts') {
      decided ??= `"${id}" comes first`;
      const reason = id === asked ? 'It was asked for, and accepts' : 'It is the first that accepts';
      return { id, priority, chosen: true, reason: `${reason} ${nameOf(value)}.` };
    }
    if (answer === 'declines') {
      return {
        id,
        priority,
        chosen: false,
        reason: `It does not accept ${nameOf(value)}${only(serializer)}.`,
      };
    }
    if (answer instanceof Refusal) {
      decided ??= `"${id}" accepts anything, and refuses this value when it is saved`;
      return {
        id,
        priority,
        chosen: false,
        reason: `It accepts anything, but saving is refused: the value is ${answer.what}. ${answer.remedy}`,
      };
    }
    decided ??= `"${id}" threw, so that the value cannot be saved`;
    return {
      id,
      priority,
      chosen: false,
      reason: `Its \`accepts\` threw ${inspect(answer.thrown, { depth: 0 })}.`,
    };
  });
}

function ask(serializer: Serializer, value: unknown, refusalOf: RefusalOf): Answer {
  try {
    return serializer.accepts(value) ? (refusalOf(serializer, value) ?? 'accepts') : 'declines';
  } catch (thrown) {
    return { thrown };
  }
}

function otherwise(answer: Answer): string {
  if (answer === 'accepts') return 'It would accept the value too.';
  if (answer instanceof Refusal) return `It would refuse the value: it is ${answer.what}.`;
  return answer === 'declines' ? 'It would not accept the value.' : 'It would throw.';
}

function only({ description }: Serializer): string {
  return description === undefined ? '' : `; it is for ${description}`;
}

/** The name that people have for a value. Runs nobody's code. */
function nameOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== 'object') return `a ${typeof value}`;
  if (types.isProxy(value)) return 'a Proxy';
  const prototype: object | null = Object.getPrototypeOf(value);
  const name = prototype === null || types.isProxy(prototype) ? undefined : classNameOf(prototype);
  return name === undefined || name === 'Object' ? 'an object' : `an instance of ${name}`;
}
