import { type DefaultTreeAdapterTypes, parse } from 'parse5';

type Node = DefaultTreeAdapterTypes.Node;
type Element = DefaultTreeAdapterTypes.Element;

/** The elements that reports are made of. */
const ELEMENTS: ReadonlySet<string> = new Set(
  [
    'html head meta title style body h1 h2 h3 h4 h5 h6 section p pre code table thead tbody tr th td ul ol li',
    'blockquote hr strong em s br a figure figcaption img iframe svg path rect text',
  ].flatMap((names) => names.split(' ')),
);
const POLICY = 'Content-Security-Policy';

/** A report as a browser reads it. */
export interface ParsedReport {
  /** The text of its body, without that of frames. */
  text: string;
  elements: readonly Element[];
  /** The documents of its frames. */
  frames: readonly string[];
}

export function attributeOf({ attrs }: Element, name: string): string | undefined {
  return attrs.find((attribute) => attribute.name === name)?.value;
}

/** Reads a report as a browser does, and throws for whatever in it could run, lead or fetch. */
export function parseReport(bytes: Uint8Array): ParsedReport {
  const elements: Element[] = [];
  const frames: string[] = [];
  let text = '';
  const walk = (node: Node): void => {
    if (node.nodeName === '#text') text += (node as DefaultTreeAdapterTypes.TextNode).value;
    if (node.nodeName === '#comment') throw new Error('a comment, which no report has');
    if ('tagName' in node) {
      elements.push(node);
      checkElement(node);
      if (node.tagName === 'iframe') frames.push(attributeOf(node, 'srcdoc') as string);
      if (node.tagName === 'style' || node.tagName === 'title') return;
    }
    if ('childNodes' in node) for (const child of node.childNodes) walk(child);
  };
  const html = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  walk(parse(html, { onParseError: ({ code }) => fail(`${code} in ${html.slice(0, 2_000)}`) }));
  const metas = elements.filter(({ tagName }) => tagName === 'meta');
  const head = metas[0]?.parentNode as Element;
  const before = head.childNodes.filter((node) => 'tagName' in node).map((node) => (node as Element).tagName);
  if (attributeOf(metas[1] as Element, 'http-equiv') !== POLICY || before[1] !== 'meta')
    throw new Error('the policy does not come first');
  return { text, elements, frames };
}

function checkElement(element: Element): void {
  const { tagName, attrs } = element;
  if (!ELEMENTS.has(tagName)) throw new Error(`an element ${tagName}`);
  for (const { name, value } of attrs) {
    if (name.startsWith('on')) throw new Error(`an attribute ${name}`);
    if (name === 'style' && !/^text-align:(?:left|right|center)$/.test(value))
      throw new Error(`a style ${value}`);
    if (name === 'href' && value !== '' && !/^(?:https?:\/\/|mailto:)/i.test(value))
      throw new Error(`a link to ${value}`);
    if (name === 'src' && !/^data:image\/[a-z+]+;base64,[\w+/=]+$/.test(value))
      throw new Error(`a source ${value}`);
    if (name === 'http-equiv' && value !== POLICY) throw new Error(`a meta ${value}`);
  }
  if (tagName === 'iframe' && (attributeOf(element, 'sandbox') !== '' || attributeOf(element, 'src')))
    throw new Error('a frame that is not closed off');
}

function fail(why: string): never {
  throw new Error(why);
}
