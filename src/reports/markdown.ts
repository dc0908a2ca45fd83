import { createRequire } from 'node:module';
import type MarkdownItClass from 'markdown-it';
import type { MarkdownIt } from 'markdown-it';
import { htmlText } from './html-text.ts';

/** Text that leads elsewhere may lead to these alone: no script, no file. */
const LINK = /^(?:https?:\/\/|mailto:)/i;

let renderer: MarkdownIt | undefined;

/**
 * Renders Markdown (CommonMark with the tables and deletions of GitHub) as HTML. Raw HTML in it is shown as text. Links lead to `http:`,
 * `https:` and `mailto:` alone; others, and images, are shown as their text. What is nested deeper than 60 levels is left out.
 */
export function renderMarkdown(text: string): string {
  renderer ??= newRenderer();
  return renderer.render(htmlText(text));
}

function newRenderer(): MarkdownIt {
  // Few programs write a report, and it takes 20 ms to load.
  const load = createRequire(import.meta.url);
  const markdown = new (load('markdown-it') as typeof MarkdownItClass)({ html: false, maxNesting: 60 });
  markdown.disable('image');
  markdown.validateLink = (url) => LINK.test(url);
  const { rules } = markdown.renderer;
  rules.link_open = (tokens, index, options, _env, self) => {
    tokens[index]?.attrSet('rel', 'noopener noreferrer');
    return self.renderToken(tokens, index, options);
  };
  // The title of the report is its only first heading.
  for (const rule of ['heading_open', 'heading_close'] as const) {
    rules[rule] = (tokens, index, options, _env, self) => {
      const token = tokens[index];
      if (token) token.tag = `h${Math.min(Number(token.tag.slice(1)) + 1, 6)}`;
      return self.renderToken(tokens, index, options);
    };
  }
  return markdown;
}
