import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { type MarkdownBlock, type MarkdownInline, markdownBlocks } from './markdown-blocks.ts';

/** Markdown laid out by elements of our own: no HTML of the text is more than text, and nothing is fetched. */
export function Markdown({ text }: { text: string }): JSX.Element {
  const blocks = useMemo(() => markdownBlocks(text), [text]);
  return (
    <div class="markdown">
      {blocks.map((block, index) => (
        <Block key={index} {...block} />
      ))}
    </div>
  );
}

function Block(block: MarkdownBlock): JSX.Element {
  switch (block.kind) {
    // Below the headings of the page.
    case 'heading': {
      const Heading = `h${Math.min(block.level + 3, 6)}` as 'h4';
      return (
        <Heading>
          <Inline parts={block.inline} />
        </Heading>
      );
    }
    case 'code':
      return <pre>{block.text}</pre>;
    case 'rule':
      return <hr />;
    case 'list': {
      const items = block.items.map((parts, index) => (
        <li key={index}>
          <Inline parts={parts} />
        </li>
      ));
      return block.isOrdered ? <ol>{items}</ol> : <ul>{items}</ul>;
    }
    case 'quote':
      return (
        <blockquote>
          <Inline parts={block.inline} />
        </blockquote>
      );
    default:
      return (
        <p>
          <Inline parts={block.inline} />
        </p>
      );
  }
}

function Inline({ parts }: { parts: readonly MarkdownInline[] }): JSX.Element {
  return (
    <>
      {parts.map((part, index) => {
        switch (part.kind) {
          case 'code':
            return <code key={index}>{part.text}</code>;
          case 'strong':
            return <strong key={index}>{part.text}</strong>;
          case 'emphasis':
            return <em key={index}>{part.text}</em>;
          case 'link':
            return (
              <a key={index} href={part.href} title={part.href} target="_blank" rel="noopener noreferrer">
                {part.text}
              </a>
            );
          default:
            return part.text;
        }
      })}
    </>
  );
}
