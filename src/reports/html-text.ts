const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
/** Characters that HTML cannot hold: parsers replace, drop or refuse them. */
const NO_TEXT = /(?![\t\n\r])\p{Cc}|\p{Noncharacter_Code_Point}/gu;

/** The text with U+FFFD in place of what HTML cannot hold. */
export function htmlText(text: string): string {
  return text.toWellFormed().replace(NO_TEXT, '\ufffd');
}

/** Escapes text for an element or a quoted attribute. */
export function escapeHtml(text: string): string {
  return htmlText(text).replace(/[&<>"']/g, (character) => ESCAPES[character] as string);
}
