import { escapeHtml } from '../reports/html-text.ts';
import type { Failure } from './asked.ts';

/** An error as a page of text, for a frame that would have shown what failed. */
export function failureDocument({ code, message }: Failure): Uint8Array {
  const style = 'font: 16px system-ui, sans-serif; margin: 1rem; color: #8a1c1c; overflow-wrap: anywhere';
  const html = `<!doctype html>
<meta charset="utf-8">
<title>${escapeHtml(code)}</title>
<body style="${style}"><p><strong>${escapeHtml(code)}</strong> ${escapeHtml(message)}</p></body>
`;
  return Buffer.from(html);
}
