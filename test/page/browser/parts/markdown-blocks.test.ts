import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { markdownBlocks, markdownInline } from '../../../../src/page/browser/parts/markdown-blocks.ts';
import { test } from '../../../property.ts';

const piece = fc.constantFrom(
  ...['# ', '- ', '1. ', '> ', '```', '~~~', '\n', '\n\n', '| a |', '---', '**', '*', '`', '[a](', ')'],
  ...['javascript:x', 'https://a.example/b', '![i](', '<script>', 'word', ' '],
);
const markdown = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(''));

describe('the blocks of Markdown', () => {
  test.prop([markdown])('no link leads anywhere but to the web and to mail', (text) => {
    const inline = markdownBlocks(text).flatMap((block) =>
      'inline' in block ? block.inline : 'items' in block ? block.items.flat() : [],
    );
    for (const part of inline) if (part.kind === 'link') expect(part.href).toMatch(/^(https?:\/\/|mailto:)/i);
  });

  test.prop([markdown.map((text) => text.replaceAll(/`{3}|~{3}/g, ''))])('no word of it is lost', (text) => {
    const words = (of: string): number => of.split('word').length;
    expect(words(JSON.stringify(markdownBlocks(text)))).toBe(words(text));
  });

  it('knows headings, lists, quotes, code and rules', () => {
    const text =
      '# A *b*\n\none\ntwo\n- x\n- y\n  z\n\n1. n\n\n> q\n\n```js\na\n\nb\n```\n---\n| t |\n| - |\nend';
    expect(markdownBlocks(text).map(({ kind }) => kind)).toStrictEqual([
      ...['heading', 'paragraph', 'list', 'list', 'quote', 'code', 'rule', 'code', 'paragraph'],
    ]);
    expect(markdownBlocks('- x\n- y\n  z')).toMatchObject([{ items: [[{ text: 'x' }], [{ text: 'y z' }]] }]);
  });

  it('leaves as they were typed: links to scripts, pictures and HTML', () => {
    for (const text of [
      '[a](javascript:alert(1))',
      '![a](https://a.example/b.png)',
      '<b onclick="x">a</b>',
      '[a](data:text/html,x)',
    ])
      expect(markdownInline(text)).toStrictEqual([{ kind: 'text', text }]);
  });

  it('ends code that is never closed with the text', () => {
    expect(markdownBlocks('```\na')).toStrictEqual([{ kind: 'code', text: 'a' }]);
  });

  it('takes no long time of text made of marks', () => {
    const blocks = markdownBlocks(`${'*['.repeat(100_000)}\n${'`'.repeat(100_000)}`);
    expect(blocks.length).toBeGreaterThan(0);
  });
});
