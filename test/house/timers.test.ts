import { expect, it } from 'vitest';
import { readSources } from './imports.ts';

/** The command line is a program of its own, and its tests move its clock; the page runs in browsers. */
const OWN_PROGRAM = 'cli/waiting-notice.ts';
const TIMER = /(?<![.\w'])(?:set|clear)(?:Timeout|Interval|Immediate)\b(?=[(),;])/;

it("timers are Node's own: a program may have put others in place of the global ones, which return numbers or never come", () => {
  const global = [...readSources()].filter(
    ([file, { text }]) =>
      !file.startsWith('testing/') &&
      !file.startsWith('page/browser/') &&
      file !== OWN_PROGRAM &&
      TIMER.test(text) &&
      !/from 'node:timers(?:\/promises)?'/.test(text),
  );
  expect(global.map(([file]) => file)).toEqual([]);
});
