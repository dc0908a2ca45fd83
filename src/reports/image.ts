import { types } from 'node:util';
import { invalidArgument } from '../errors.ts';
import { checkOptions, TEXT, wholeNumber } from '../options/option-table.ts';
import { escapeHtml } from './html-text.ts';

/** The types of images that browsers show. Scripts in an SVG do not run in an image. */
const IMAGE_TYPES = [
  'image/png',
  'image/jpeg',
  'image/gif',
  'image/webp',
  'image/avif',
  'image/svg+xml',
] as const;

/** The type of an image in a report. */
export type ReportImageType = (typeof IMAGE_TYPES)[number];

/** Options of an image in a report. */
export interface ReportImageOptions {
  /** Stands for the image where it cannot be seen. Default: the caption, or nothing. */
  alt?: string | undefined;
  /** A line below the image. Default: none. */
  caption?: string | undefined;
  /** The width at which it is shown, in CSS pixels, 1 to 10,000. Default: its own, at most that of the page. */
  width?: number | undefined;
}

/**
 * Renders an image that is part of the report itself.
 *
 * @throws StowageError `INVALID_ARGUMENT`
 */
export function renderImage(
  image: Uint8Array | string,
  type: ReportImageType,
  options: ReportImageOptions = {},
): string {
  checkOptions<ReportImageOptions>(options, 'report.image', {
    alt: TEXT,
    caption: TEXT,
    width: wholeNumber(1, 10_000, 'a number of pixels'),
  });
  const bytes = typeof image === 'string' && type === 'image/svg+xml' ? Buffer.from(image) : image;
  if (!types.isUint8Array(bytes) || bytes.length === 0) {
    throw invalidArgument(
      "An image of a report is its bytes and their type: report.image(await readFile('loss.png'), 'image/png'). Of 'image/svg+xml' it may be text.",
    );
  }
  if (type === undefined)
    throw invalidArgument(
      `An image of a report has a type: report.image(bytes, 'image/png'), or ${IMAGE_TYPES.slice(1).join(', ')}.`,
    );
  if (!IMAGE_TYPES.includes(type)) {
    throw invalidArgument(
      `${JSON.stringify(type)} is no type of an image in a report; use ${IMAGE_TYPES.join(', ')}.`,
    );
  }
  const { caption, alt = caption ?? '', width } = options;
  const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
  const sized = width === undefined ? '' : ` width="${width}"`;
  const below = caption === undefined ? '' : `<figcaption>${escapeHtml(caption)}</figcaption>`;
  return `<figure><img src="data:${type};base64,${base64}" alt="${escapeHtml(alt)}"${sized}>${below}</figure>\n`;
}
