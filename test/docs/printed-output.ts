/** What one call of `console.log` printed. */
export interface Printed {
  /** Of the program, from 1. */
  line: number;
  text: string;
}

/** A comment behind `console.log(...);` on its line: what the call prints. Remarks stand on a line of their own. */
export interface Promised {
  line: number;
  comment: string;
}

/** What a program promises to print. */
export function promisesIn(code: string): Promised[] {
  return code.split('\n').flatMap((text, index) => {
    const comment = /\bconsole\.log\(.*\); +\/\/ (.*)$/.exec(text)?.[1];
    return comment === undefined ? [] : [{ line: index + 1, comment }];
  });
}

/**
 * The promises that were not kept. A call prints what its comment says, every time: all of it, or all of it up to a `: ` and an
 * explanation. Spaces and line ends count as one, and all times as the same.
 */
export function brokenPromises(promised: readonly Promised[], printed: readonly Printed[]): string[] {
  return promised.flatMap(({ line, comment }) => {
    const texts = printed.filter((call) => call.line === line).map(({ text }) => text);
    if (texts.length === 0) return [`line ${line} promises ${comment}, and printed nothing`];
    const others = texts.filter((text) => !keeps(comment, text));
    return others.map((text) => `line ${line} promises ${comment}, and printed ${text}`);
  });
}

function keeps(comment: string, text: string): boolean {
  const [expected, actual] = [normal(comment), normal(text)];
  return expected === actual || expected.startsWith(`${actual}: `);
}

function normal(text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, '<time>')
    .replace(/\s+/g, ' ')
    .trim();
}
