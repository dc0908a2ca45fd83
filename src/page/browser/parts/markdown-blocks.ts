/** A block of Markdown. HTML in it is text. */
export type MarkdownBlock =
  | { kind: 'heading'; level: number; inline: MarkdownInline[] }
  | { kind: 'paragraph' | 'quote'; inline: MarkdownInline[] }
  | { kind: 'list'; isOrdered: boolean; items: MarkdownInline[][] }
  | { kind: 'code'; text: string }
  | { kind: 'rule' };

/** A part of a line. A link leads to `http:`, `https:` or `mailto:`; what would lead elsewhere is text. */
export type MarkdownInline =
  | { kind: 'text' | 'code' | 'strong' | 'emphasis'; text: string }
  | { kind: 'link'; text: string; href: string };

const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const RULE = /^ {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$/;
const ITEM = /^\s*(?:[-*+]|\d{1,9}[.)])\s+(.*)$/;
const ORDERED = /^\s*\d/;
const QUOTE = /^ {0,3}>\s?/;
const TABLE_ROW = /^ {0,3}\|.*\|\s*$/;

/** The blocks of a text: the few that notes are made of. Tables stay as they were typed; lists are flat. */
export function markdownBlocks(text: string): MarkdownBlock[] {
  const lines = text.split(/\r?\n/);
  const blocks: MarkdownBlock[] = [];
  let at = 0;
  /** The lines from `at` on that `belongs` to. */
  const take = (belongs: (line: string) => boolean): string[] => {
    const from = at;
    while (at < lines.length && belongs(lines[at] as string)) at += 1;
    return lines.slice(from, at);
  };
  while (at < lines.length) {
    const line = lines[at] as string;
    const fence = FENCE.exec(line)?.[1];
    const heading = HEADING.exec(line);
    if (line.trim() === '') at += 1;
    else if (fence !== undefined) {
      at += 1;
      const code = take((inside) => !inside.trimStart().startsWith(fence));
      at += 1;
      blocks.push({ kind: 'code', text: code.join('\n') });
    } else if (heading) {
      at += 1;
      const [, marks = '', title = ''] = heading;
      blocks.push({ kind: 'heading', level: marks.length, inline: markdownInline(title) });
    } else if (RULE.test(line)) {
      at += 1;
      blocks.push({ kind: 'rule' });
    } else if (TABLE_ROW.test(line)) {
      blocks.push({ kind: 'code', text: take((row) => TABLE_ROW.test(row)).join('\n') });
    } else if (QUOTE.test(line)) {
      const quoted = take((inside) => QUOTE.test(inside)).map((inside) => inside.replace(QUOTE, ''));
      blocks.push({ kind: 'quote', inline: markdownInline(quoted.join('\n')) });
    } else if (ITEM.test(line)) {
      const items: string[] = [];
      for (const one of take((inside) => ITEM.test(inside) || /^\s+\S/.test(inside))) {
        const item = ITEM.exec(one)?.[1];
        if (item !== undefined) items.push(item);
        else items.push(`${items.pop() ?? ''} ${one.trim()}`);
      }
      blocks.push({ kind: 'list', isOrdered: ORDERED.test(line), items: items.map(markdownInline) });
    } else {
      const isText = (inside: string): boolean =>
        inside.trim() !== '' && ![FENCE, HEADING, RULE, ITEM, QUOTE].some((mark) => mark.test(inside));
      blocks.push({ kind: 'paragraph', inline: markdownInline(take(isText).join('\n')) });
    }
  }
  return blocks;
}

/** Code, strong, emphasis and links; each bounded and on one line, so that no text takes long. */
const INLINE =
  /`([^`\n]{1,500})`|\*\*([^*\n]{1,500})\*\*|\*([^*\s][^*\n]{0,500})\*|\[([^[\]\n]{1,500})\]\(([^()\s]{1,2000})\)/g;
const SAFE_ADDRESS = /^(?:https?:\/\/|mailto:)/i;

export function markdownInline(text: string): MarkdownInline[] {
  const parts: MarkdownInline[] = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    const [whole, code, strong, emphasis, label, href] = match;
    const isLink = label !== undefined && href !== undefined;
    // An image is not fetched: its text stays as it was typed, as do links that lead elsewhere.
    if (isLink && (!SAFE_ADDRESS.test(href) || text[match.index - 1] === '!')) continue;
    if (match.index > from) parts.push({ kind: 'text', text: text.slice(from, match.index) });
    from = match.index + whole.length;
    if (code !== undefined) parts.push({ kind: 'code', text: code });
    else if (strong !== undefined) parts.push({ kind: 'strong', text: strong });
    else if (emphasis !== undefined) parts.push({ kind: 'emphasis', text: emphasis });
    else if (isLink) parts.push({ kind: 'link', text: label, href });
  }
  if (from < text.length) parts.push({ kind: 'text', text: text.slice(from) });
  return parts;
}
