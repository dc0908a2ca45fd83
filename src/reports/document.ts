import { escapeHtml } from './html-text.ts';

/**
 * The rule of a report for browsers: nothing is fetched, no script runs, no form is sent, no other page is framed. Frames of `srcdoc`
 * are under it as well.
 */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; font-src data:; frame-src 'none'; form-action 'none'; base-uri 'none'";

/** The bytes that every report begins with: whatever follows them is under the rule that they set. */
export const REPORT_HEAD: string = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
`;

const STYLE = `:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:CanvasText;background:Canvas;overflow-wrap:break-word}
h1{font-size:1.6rem}h2{font-size:1.3rem}h3{font-size:1.1rem}
section{margin:1.25rem 0}
table{border-collapse:collapse;font-size:.875rem;display:block;overflow-x:auto}
th,td{border-bottom:1px solid #8886;padding:.25rem .75rem .25rem 0;text-align:left;vertical-align:top}
.right{text-align:right;font-variant-numeric:tabular-nums}
.caption,figcaption{font-size:.875rem;opacity:.75}
.text{white-space:pre-wrap}
pre{overflow-x:auto;background:#8881;padding:.75rem}
blockquote{border-left:3px solid #8886;margin-left:0;padding-left:1rem}
figure{margin:0}img,svg{max-width:100%;height:auto}
iframe{width:100%;border:1px solid #8886;resize:vertical}`;

/** The document of a report. Equal sections make equal bytes: it says nothing of when or where it was made. */
export function renderDocument(title: string, sections: readonly string[]): Uint8Array {
  const shown = escapeHtml(title);
  const body = sections.map((section) => `<section>\n${section}</section>\n`).join('');
  return new TextEncoder().encode(
    `${REPORT_HEAD}<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${shown}</title>
<style>
${STYLE}
</style>
</head>
<body>
<h1>${shown}</h1>
${body}</body>
</html>
`,
  );
}

/**
 * A frame of its own for HTML of users, without scripts, forms, or a way out: it can change nothing of the report around it, and
 * nothing that it lacks to be whole breaks the rest.
 */
export function renderFrame(html: string, height: number): string {
  const inner = `${REPORT_HEAD}<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif}</style>\n${html}`;
  return `<iframe sandbox height="${height}" srcdoc="${escapeHtml(inner)}"></iframe>\n`;
}

/** Tells whether bytes begin as those of a report do, so that no script in them runs. */
export function isReport(bytes: Uint8Array): boolean {
  const head = Buffer.from(REPORT_HEAD);
  return head.equals(bytes.subarray(0, head.length));
}
