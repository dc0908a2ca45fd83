import { types } from 'node:util';
import { invalidArgument } from '../errors.ts';
import { checkOptions, type OptionTable, TEXT, wholeNumber } from '../options/option-table.ts';
import { renderDocument, renderFrame } from './document.ts';
import { escapeHtml } from './html-text.ts';
import { type ReportImageOptions, type ReportImageType, renderImage } from './image.ts';
import { renderMarkdown } from './markdown.ts';
import { type Plot, renderPlot } from './plot.ts';
import { type ReportTableOptions, renderTable } from './table.ts';

/** Options of a report. */
export interface ReportOptions {
  /** What people call it, 200 characters at most. Default: its name. */
  title?: string | undefined;
}

/** Options of HTML in a report. */
export interface ReportHtmlOptions {
  /** The height of its frame, in CSS pixels, 20 to 10,000. Default 400. */
  height?: number | undefined;
}

/** The most characters of a title. */
export const MAX_TITLE = 200;
/** The most characters that one call of `markdown`, `html` or `text` takes. */
const MAX_TEXT = 4 * 1024 * 1024;
/** The most characters that all sections have as HTML. */
const MAX_REPORT = 32 * 1024 * 1024;
/** The most sections. */
const MAX_SECTIONS = 10_000;

const HTML_OPTIONS: OptionTable<ReportHtmlOptions> = {
  height: wholeNumber(20, 10_000, 'a number of pixels'),
};

/** The attempt that a report belongs to. */
export interface ReportOwner {
  /** @throws StowageError `ATTEMPT_CLOSED` where nothing can be added any more */
  ensureOpen(): void;
  /** Is told that there is something new to be written. */
  changed(): void;
}

/**
 * What a task wants people to see: sections, in the order of the calls that add them, kept with the attempt as one HTML file that any
 * browser opens. It is written while the task runs, every few seconds if something was added, and once more at its end. Content is escaped;
 * no script runs in it. Each call throws at once for what cannot be shown.
 */
export class Report {
  /** Its name within the attempt. */
  readonly name: string;
  /** What people call it. */
  readonly title: string;
  readonly #owner: ReportOwner;
  #sections: string[] = [];
  #length = 0;

  /**
   * For use by {@link OpenTaskDataStore}.
   *
   * @internal
   */
  constructor(name: string, title: string, owner: ReportOwner) {
    this.name = name;
    this.title = title;
    this.#owner = owner;
  }

  /** Nothing was added, or all was taken out again. */
  get isEmpty(): boolean {
    return this.#sections.length === 0;
  }

  /** Adds text as it is, its line breaks included. */
  text(text: string): this {
    return this.#add('text', () => `<p class="text">${escapeHtml(checkText(text, 'text'))}</p>\n`);
  }

  /** Adds Markdown: CommonMark, with tables as GitHub has them. Raw HTML in it is shown as text, and images as theirs. */
  markdown(text: string): this {
    return this.#add('markdown', () => renderMarkdown(checkText(text, 'markdown')));
  }

  /**
   * Adds HTML in a frame of its own, in which its styles hold, and no script runs, nothing is fetched, and no link leads anywhere:
   * images and fonts are `data:` URIs.
   */
  html(text: string, options: ReportHtmlOptions = {}): this {
    return this.#add('html', () => {
      checkOptions(options, 'report.html', HTML_OPTIONS);
      return renderFrame(checkText(text, 'html'), options.height ?? 400);
    });
  }

  /** Adds a table: a row for each object. Of more than 1,000 the first are shown, see {@link ReportTableOptions}. */
  table(rows: readonly object[], options: ReportTableOptions = {}): this {
    return this.#add('table', () => renderTable(rows, options));
  }

  /** Adds an image, which becomes part of the file: its bytes, or the text of an SVG. */
  image(image: Uint8Array | string, type: ReportImageType, options: ReportImageOptions = {}): this {
    return this.#add('image', () => renderImage(image, type, options));
  }

  /** Adds a plot, drawn as SVG: of lines, bars, points, or a histogram. */
  plot(plot: Plot): this {
    return this.#add('plot', () => renderPlot(plot));
  }

  /** Takes out all sections, so that what a running task shows can be shown anew. */
  clear(): this {
    this.#owner.ensureOpen();
    this.#sections = [];
    this.#length = 0;
    this.#owner.changed();
    return this;
  }

  /**
   * The file as it is now.
   *
   * @internal
   */
  render(): Uint8Array {
    return renderDocument(this.title, this.#sections);
  }

  #add(what: string, render: () => string): this {
    this.#owner.ensureOpen();
    const section = render();
    const length = this.#length + section.length;
    if (length > MAX_REPORT || this.#sections.length >= MAX_SECTIONS) {
      throw invalidArgument(
        `Report ${this.name} has no room for this ${what}: it holds at most ${MAX_SECTIONS} sections of ${MAX_REPORT} characters in all. Take out what is old by clear(), or save it as an artifact.`,
        { report: this.name, sections: this.#sections.length, characters: length },
      );
    }
    this.#sections.push(section);
    this.#length = length;
    this.#owner.changed();
    return this;
  }
}

/** @throws StowageError `INVALID_ARGUMENT` */
export function checkTitle(options: ReportOptions, name: string): string {
  checkOptions<ReportOptions>(options, 'report', { title: TEXT });
  const { title = name } = options;
  if (title.length > 0 && title.length <= MAX_TITLE) return title;
  throw invalidArgument(`The title of report ${name} has 1 to ${MAX_TITLE} characters, not ${title.length}.`);
}

function checkText(text: unknown, method: string): string {
  if (typeof text !== 'string') {
    const remedy = types.isUint8Array(text) ? 'decode the bytes first' : 'pass a text';
    throw invalidArgument(`report.${method} takes a text, not a value of type ${typeof text}; ${remedy}.`);
  }
  if (text.length <= MAX_TEXT) return text;
  throw invalidArgument(
    `report.${method} takes at most ${MAX_TEXT} characters at once, not ${text.length}. Save it as an artifact, and show a part of it.`,
  );
}
