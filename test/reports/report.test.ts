import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isReport, REPORT_HEAD } from '../../src/reports/document.ts';
import { Report } from '../../src/reports/report.ts';
import { test } from '../property.ts';
import { attributeOf, parseReport } from './parsed-report.ts';

function newReport(title = 'Title', changed = (): void => {}): Report {
  return new Report('name', title, { ensureOpen: () => {}, changed });
}

/** Text that would be something else if it were not escaped. */
const hostile = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 4 }),
      fc.constantFrom(
        ...[
          '<script>alert(1)</script>',
          '<img src=x onerror=alert(1)>',
          '</section>',
          '</iframe>',
          '<svg onload=',
          '-->',
        ],
        ...[
          '<!--',
          '"',
          "'",
          '&',
          '&lt;',
          '&#106;',
          ']]>',
          '<',
          '>',
          '\n',
          '\0',
          '\u2028',
          '\ud800',
          '<a href="javascript:x">',
        ],
        ...[
          '<pre>',
          '</pre>',
          '<style>',
          '</title>',
          '<base href=//e>',
          '<plaintext>',
          '<math>',
          '<template>',
        ],
      ),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''));

/** As it is read again: what HTML cannot hold is replaced, and line ends are one. */
function asShown(text: string): string {
  return text
    .toWellFormed()
    .replace(/(?![\t\n\r])\p{Cc}|\p{Noncharacter_Code_Point}/gu, '\ufffd')
    .replace(/\r\n?/g, '\n');
}

describe('a report', () => {
  test.prop([hostile, hostile])('shows any text as it is, and runs nothing of it', (title, text) => {
    const { text: shown } = parseReport(newReport(title).text(text).render());
    expect(shown).toContain(asShown(text));
  });

  test.prop([hostile])('shows raw HTML in Markdown as text', (text) => {
    parseReport(newReport().markdown(text).render());
    parseReport(newReport().markdown(`# ${text}\n\n- [ ] ${text}\n\n| a |\n|---|\n| ${text} |\n`).render());
    parseReport(newReport().markdown(`a <pre>${text}\n\n[x](${text}) ![y](${text} "${text}")`).render());
  });

  test.prop([hostile, hostile])('escapes names, cells and captions of a table', (name, cell) => {
    const report = newReport().table([{ [name]: cell, n: 1 }], { caption: cell });
    const { text, elements } = parseReport(report.render());
    expect(elements.filter(({ tagName }) => tagName === 'td').length).toBe(name === 'n' ? 1 : 2);
    if (name !== 'n') expect(text).toContain(asShown(cell));
  });

  test.prop([hostile])('escapes what is written in a plot, and beside an image', (text) => {
    const report = newReport();
    const named = { title: text, xLabel: text, yLabel: text };
    report.plot({ ...named, series: [{ name: text, y: [1, 2] }] });
    report.plot({ ...named, kind: 'bar', x: [text, text], y: [1, 2] });
    report.image(new Uint8Array([1]), 'image/svg+xml', { alt: text, caption: text });
    parseReport(report.render());
  });

  test.prop([hostile])('keeps HTML in a frame of its own, under the same policy', (html) => {
    const { frames, text } = parseReport(newReport().html(html).text('behind').render());
    expect(frames).toHaveLength(1);
    expect(frames[0]?.startsWith(REPORT_HEAD)).toBe(true);
    expect(frames[0]?.endsWith(asShown(html))).toBe(true);
    expect(text).toContain('behind');
  });

  it('is the same bytes for the same content, whenever it is written', () => {
    const fill = (report: Report): Report =>
      report
        .markdown('# Loss\n\nof *all* epochs')
        .table([{ epoch: 1, loss: 0.5, at: new Date(0) }])
        .plot({ x: [1, 2, 3], y: [0.5, 0.25, 0.1] })
        .html('<b>bold</b>');
    expect(fill(newReport()).render()).toEqual(fill(newReport()).render());
  });

  it('begins with its policy, by which it is known', () => {
    const bytes = newReport().render();
    expect(isReport(bytes)).toBe(true);
    expect(isReport(bytes.subarray(0, REPORT_HEAD.length - 1))).toBe(false);
    const other = Buffer.from(
      Buffer.from(bytes).toString().replace("default-src 'none'", "default-src 'self'"),
    );
    expect(isReport(other)).toBe(false);
    expect(REPORT_HEAD).toContain("default-src 'none'");
    expect(REPORT_HEAD).not.toContain('script');
  });

  it('tells its owner of each change, and is emptied by clear()', () => {
    let changes = 0;
    const report = newReport('T', () => {
      changes += 1;
    });
    expect(report.isEmpty).toBe(true);
    report.text('a').markdown('b');
    expect([changes, report.isEmpty]).toEqual([2, false]);
    report.clear();
    expect([changes, report.isEmpty]).toEqual([3, true]);
    expect(parseReport(report.render()).text.trim()).toBe('T');
  });

  it('refuses what it cannot show at once, and stays as it was', () => {
    const report = newReport().text('a');
    const before = report.render();
    const bad: (() => unknown)[] = [
      () => report.text(5 as never),
      () => report.markdown(new Uint8Array(1) as never),
      () => report.text('x'.repeat(5_000_000)),
      () => report.html('a', { height: 5 }),
      () => report.html('a', { hight: 500 } as never),
      () => report.table({} as never),
      () => report.table([1 as never]),
      () => report.table([], { maxRows: 0 }),
      () => report.table([Object.fromEntries(Array.from({ length: 201 }, (_, index) => [index, 1]))]),
      () => report.image('x', 'image/png'),
      () => report.image('', 'image/svg+xml'),
      () => report.image(new Uint8Array(1), undefined as never),
      () => report.image(new Uint8Array(1), 'text/html' as never),
      () => report.image(new Uint8Array(1), 'image/png" onerror="x' as never),
      () => report.plot(undefined as never),
      () => report.plot({}),
      () => report.plot({ y: [1], series: [] }),
      () => report.plot({ y: ['1'] as never }),
      () => report.plot({ y: [1, 2], x: [1] }),
      () => report.plot({ y: [1], x: ['a'] }),
      () => report.plot({ kind: 'pie' as never, y: [1] }),
      () => report.plot({ kind: 'histogram', y: [1], x: [1] }),
      () => report.plot({ y: [1], bins: 5 }),
      () => report.plot({ series: Array.from({ length: 21 }, () => ({ y: [1] })) }),
      () => report.plot({ y: [1], width: 5 }),
    ];
    for (const add of bad) expect(add).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    expect(report.render()).toEqual(before);
  });

  it('takes an SVG as text', () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg"><text>ünicode</text></svg>';
    const [asText, asBytes] = [newReport(), newReport()];
    asText.image(svg, 'image/svg+xml');
    asBytes.image(Buffer.from(svg), 'image/svg+xml');
    expect(asText.render()).toEqual(asBytes.render());
  });

  it('has an end', () => {
    const report = newReport();
    const image = new Uint8Array(6 * 1024 * 1024);
    const fill = (): void => {
      for (let index = 0; index < 100; index++) report.image(image, 'image/png');
    };
    expect(fill).toThrow(/has no room for this image/);
    expect(report.render().length).toBeLessThan(40 * 1024 * 1024);
  });
});

describe('Markdown of a report', () => {
  const body = (text: string) => parseReport(newReport().markdown(text).render());

  it('is rendered with headings, lists, tables and code', () => {
    const { elements } = body(
      '# A\n\n## B\n\n1. one\n2. two\n\n| a | b |\n|--|-:|\n| 1 | 2 |\n\n`x` **y** ~~z~~\n\n```js\nlet a = 1 < 2;\n```\n',
    );
    const names = elements.map(({ tagName }) => tagName);
    expect(names.filter((name) => /^(h[1-6]|ol|li|td|code|strong|s|pre)$/.test(name))).toEqual(
      'h1 h2 h3 ol li li td td code strong s pre code'.split(' '),
    );
  });

  it('takes no longer than its length asks for, and any depth', () => {
    const bad = [
      '['.repeat(20_000),
      'a_'.repeat(20_000),
      '*a '.repeat(20_000),
      '> '.repeat(20_000),
      '- '.repeat(20_000),
    ];
    for (const text of bad) expect(body(text).elements.length).toBeLessThan(1_000);
  });

  it('leads to the web and to mail alone', () => {
    const { elements, text } = body(
      '[a](https://e.com/?x=1&y=2) [b](javascript:alert(1)) [c](file:///etc/passwd) [d](//e.com) [e](mailto:a@b.c) [f](JaVaScRiPt:x) <data:text/html,x> [g](java&#115;cript:x)',
    );
    const links = elements.filter(({ tagName }) => tagName === 'a').map((link) => attributeOf(link, 'href'));
    expect(links).toEqual(['https://e.com/?x=1&y=2', 'mailto:a@b.c']);
    for (const letter of 'abcdefg') expect(text).toContain(letter);
  });

  it('keeps references to characters, and fetches no image', () => {
    expect(body('&copy; &lt;b&gt; & &#x41;').text).toContain('© <b> & A');
    expect(body('![alt text](https://e.com/x.png)').text).toContain('alt text');
  });
});

describe('a table of a report', () => {
  it('shows all members of its rows, and says how many rows it leaves out', () => {
    const rows = Array.from({ length: 12 }, (_, index) =>
      index === 0 ? { a: 1 } : { a: index, b: { c: [1] } },
    );
    const { text, elements } = parseReport(newReport().table(rows, { maxRows: 10 }).render());
    expect(text).toContain('and 2 more rows');
    expect(text).toContain('{ c: [ 1 ] }');
    expect(elements.filter(({ tagName }) => tagName === 'tr')).toHaveLength(11);
    const chosen = parseReport(
      newReport()
        .table(rows, { columns: ['b'] })
        .render(),
    );
    expect(chosen.elements.filter(({ tagName }) => tagName === 'th')).toHaveLength(1);
  });
});
