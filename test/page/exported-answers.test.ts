import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answerFile, answerScript } from '../../src/page/exported-answers.ts';
import { test } from '../property.ts';

/** Runs scripts of an export, and gives what they hand over. */
function handedOver(script: string): [address: string, json: string][] {
  const given: [string, string][] = [];
  const globals = { stowageAnswer: (address: string, json: string) => given.push([address, json]) };
  runInNewContext(script, globals);
  return given;
}

describe('the script of an answer', () => {
  test.prop([fc.string({ unit: 'binary' }), fc.json()])(
    'hands over the very address and JSON, and has nothing that ends a script or a line',
    (address, json) => {
      const script = answerScript(address, json);
      expect(handedOver(script)).toEqual([[address, json]]);
      expect(script).not.toMatch(/[<\u2028\u2029]/);
      expect(script.indexOf('\n')).toBe(script.length - 1);
    },
  );

  it.each([
    '</script><script>alert(1)</script>',
    '<!--<script>',
    '\u2028alert(1)\u2029',
    '"),alert(1),("',
    "'+alert(1)+'",
    '\\"),alert(1);//',
    '`$' + '{alert(1)}`',
  ])('runs nothing of what it hands over: %s', (text) => {
    expect(handedOver(answerScript(text, JSON.stringify({ [text]: text })))).toEqual([
      [text, JSON.stringify({ [text]: text })],
    ]);
  });

  it('keeps a member __proto__ a member', () => {
    const [[, json] = []] = handedOver(answerScript('a', '{"__proto__":{"isAdmin":true}}'));
    expect(Object.keys(JSON.parse(json as string))).toEqual(['__proto__']);
  });
});

describe('the file of an answer', () => {
  test.prop([fc.string({ unit: 'binary' })])('has a name that every file system takes', (address) => {
    expect(answerFile(address)).toMatch(/^answers\/[0-9a-f]{8}\.js$/);
  });

  it('is, for two questions that share one, a script that hands both over', () => {
    const [a, b] = ['costarring', 'liquid'];
    expect(answerFile(a)).toBe(answerFile(b));
    expect(handedOver(answerScript(a, '1') + answerScript(b, '2'))).toEqual([
      [a, '1'],
      [b, '2'],
    ]);
  });
});
