/** The first text behind all that begin with `prefix`, by the bytes of their UTF-8; `undefined` where there is none. */
export function endOfPrefix(prefix: string): string | undefined {
  const points = [...prefix];
  for (let at = points.length - 1; at >= 0; at -= 1) {
    const point = (points[at] as string).codePointAt(0) as number;
    if (point === 0x10_ffff) continue;
    // No text has half a surrogate pair.
    const next = point === 0xd7ff ? 0xe000 : point + 1;
    return points.slice(0, at).join('') + String.fromCodePoint(next);
  }
  return undefined;
}

/** The first text behind all names in a folder, which ends in `/`: no character lies between that and `0`. */
export function endOfFolder(folder: string): string {
  return `${folder.slice(0, -1)}0`;
}
