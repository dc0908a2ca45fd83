import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ANYTHING,
  checkOptions,
  DATE,
  FLAG,
  FUNCTION,
  NAMES,
  type OptionTable,
  oneOf,
  TEXT,
  wholeMilliseconds,
  wholeNumber,
} from '../../src/options/option-table.ts';
import { test } from '../property.ts';

interface Options {
  signal?: AbortSignal;
  anything?: unknown;
  flag?: boolean;
  text?: string;
  callback?: () => void;
  names?: string[];
  since?: Date;
  mode?: 'auto' | 'off';
  count?: number;
  timeoutMs?: number;
}

const TABLE: OptionTable<Options> = {
  anything: ANYTHING,
  flag: FLAG,
  text: TEXT,
  callback: FUNCTION,
  names: NAMES,
  since: DATE,
  mode: oneOf('auto', 'off'),
  count: wholeNumber(1),
  timeoutMs: wholeMilliseconds(1, 1000),
};

function fault(options: unknown): string | undefined {
  try {
    checkOptions<Options>(options, 'work', TABLE);
    return undefined;
  } catch (error) {
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
    return (error as Error).message;
  }
}

describe('checkOptions', () => {
  const valid = fc.record(
    {
      anything: fc.anything(),
      flag: fc.boolean(),
      text: fc.string(),
      callback: fc.constant(() => {}),
      names: fc.array(fc.string()),
      since: fc.date({ noInvalidDate: true }),
      mode: fc.constantFrom('auto', 'off'),
      count: fc.integer({ min: 1 }),
      timeoutMs: fc.integer({ min: 1, max: 1000 }),
      signal: fc.constant(new AbortController().signal),
    },
    { requiredKeys: [] },
  );

  test.prop([valid])('takes what each kind takes, and what is not given', (options) => {
    expect(fault(options)).toBeUndefined();
    expect(fault(undefined)).toBeUndefined();
  });

  test.prop([fc.string().filter((name) => !(name in TABLE) && name !== 'signal')])(
    'refuses any other name',
    (name) => {
      expect(fault(Object.fromEntries([[name, 1]]))).toContain(`work has no option ${name}`);
    },
  );

  it.each([
    [{ flag: 'yes' }, 'flag must be true or false, not "yes".'],
    [{ text: 5 }, 'text must be text, not 5.'],
    [{ callback: {} }, 'callback must be a function, not a value of type object.'],
    [{ names: 'one' }, `names must be a list of names, such as ['first', 'second'], not "one".`],
    [{ since: new Date(Number.NaN) }, 'since must be a valid date, not a value of type object.'],
    [{ mode: 'on' }, 'mode must be one of auto, off, not "on".'],
    [{ count: '5' }, 'count must be an integer from 1 on, not "5".'],
    [{ count: Number.NaN }, 'count must be an integer from 1 on, not NaN.'],
    [{ timeoutMs: 1.5 }, 'timeoutMs must be whole milliseconds from 1 to 1000, not 1.5.'],
  ])('says what an option takes: %j', (options, message) => {
    expect(fault(options)).toBe(message);
  });
});
