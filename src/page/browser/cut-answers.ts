import { useEffect, useState } from 'preact/hooks';
import type { Cut } from '../../views/fitted-json.ts';
import { type Asked, addressOf } from '../asked.ts';

/** An answer of which parts are left out so that it fits. */
export interface CutAnswer {
  asked: Asked;
  cut: Cut;
}

const known = new Map<string, CutAnswer>();
const drawing = new Set<() => void>();

/** Keeps what an answer says of the parts that it lacks, for the view that asked. */
export function noteCut(asked: Asked, result: unknown): void {
  const { cut } = Object(result) as { cut?: Cut };
  const address = addressOf(asked);
  if (cut === undefined ? !known.delete(address) : known.has(address)) return;
  if (cut !== undefined) known.set(address, { asked, cut });
  for (const draw of drawing) draw();
}

/** The answers of the view at an address that were cut. */
export function useCutAnswers(place: string): CutAnswer[] {
  const [, setDrawn] = useState({});
  useEffect(() => {
    const draw = (): void => setDrawn({});
    drawing.add(draw);
    return () => {
      drawing.delete(draw);
    };
  }, []);
  useEffect(() => () => known.clear(), [place]);
  return [...known.values()];
}
