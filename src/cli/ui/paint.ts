/** The styles in which a text stands out, if the terminal has colours. */
export type Style = 'green' | 'red' | 'yellow' | 'cyan' | 'bold' | 'dim';

/** Text in a style, or as it is where there are no colours. */
export type Paint = (style: Style, text: string) => string;

const CODES: Readonly<Record<Style, readonly [number, number]>> = {
  green: [32, 39],
  red: [31, 39],
  yellow: [33, 39],
  cyan: [36, 39],
  bold: [1, 22],
  dim: [2, 22],
};

export const plain: Paint = (_style, text) => text;

export const coloured: Paint = (style, text) => {
  const [on, off] = CODES[style];
  return `\x1b[${on}m${text}\x1b[${off}m`;
};

/** True if a stream gets colours: a terminal that has them, unless `--no-color`, `NO_COLOR` or `TERM=dumb` says otherwise. */
export function hasColours(
  stream: { isTTY?: boolean },
  wanted: boolean,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): boolean {
  if (!wanted || environment.NO_COLOR || environment.TERM === 'dumb') return false;
  const forced = environment.FORCE_COLOR;
  return forced ? forced !== '0' : stream.isTTY === true;
}
