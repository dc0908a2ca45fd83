import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { formatCount } from '../../../options/figures.ts';
import type { Plotted } from './plotted.ts';

const HEIGHT = 200;

/** What is plotted, as a canvas. The text says the same as a whole; what is under the pointer is told below. */
export function Chart({ plotted, label }: { plotted: Plotted; label: string }): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const colours = useColours();
  useEffect(() => {
    const at = place.current as HTMLDivElement;
    const width = (): number => Math.max(200, at.clientWidth);
    const plot = new uPlot(optionsOf(plotted, colours, width()), plotted.data as uPlot.AlignedData, at);
    const watching = new ResizeObserver(() => plot.setSize({ width: width(), height: HEIGHT }));
    watching.observe(at);
    return () => {
      watching.disconnect();
      plot.destroy();
    };
  }, [plotted, colours]);
  return <div class="chart" role="img" aria-label={label} ref={place} />;
}

interface Colours {
  text: string;
  edge: string;
  series: string;
}

/** The colours of the page as they are now: a canvas knows no variables. */
function useColours(): Colours {
  const [colours, setColours] = useState(readColours);
  useEffect(() => {
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const changed = (): void => setColours(readColours());
    dark.addEventListener('change', changed);
    return () => dark.removeEventListener('change', changed);
  }, []);
  return colours;
}

function readColours(): Colours {
  const probe = document.createElement('span');
  document.body.append(probe);
  const read = (name: string): string => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const colours = { text: read('--quiet'), edge: read('--edge'), series: read('--series') };
  probe.remove();
  return colours;
}

function optionsOf(plotted: Plotted, { text, edge, series }: Colours, width: number): uPlot.Options {
  const { kind, xName, names, xRange, xText } = plotted;
  const font = '12px system-ui, sans-serif';
  const axis = {
    stroke: text,
    font,
    grid: { stroke: edge, width: 1 },
    ticks: { stroke: edge, width: 1, size: 4 },
  };
  const shown = (_: uPlot, value: number | null): string => (value === null ? '' : figure(value));
  const drawn: Partial<uPlot.Series> =
    kind === 'bars'
      ? {
          fill: faded(series, 0.45),
          ...(uPlot.paths.bars
            ? { paths: uPlot.paths.bars({ size: [1, Number.POSITIVE_INFINITY], gap: 1 }) }
            : {}),
          points: { show: false },
        }
      : { points: kind === 'points' ? { show: true, size: 6, fill: series } : { show: false } };
  return {
    width,
    height: HEIGHT,
    padding: [8, 12, 0, 0],
    legend: { live: true },
    cursor: { drag: { x: kind !== 'bars', y: false }, points: { show: kind !== 'bars' } },
    scales: {
      x: { time: false, ...(xRange ? { range: () => xRange } : {}) },
      y: kind === 'bars' ? { range: (_, __, max) => [0, Math.max(1, max * 1.05)] } : {},
    },
    series: [
      { label: xName, value: (_, value) => (value === null ? '' : (xText?.(value) ?? figure(value))) },
      ...names.map(
        (name): uPlot.Series => ({ label: name, stroke: series, width: 1.5, value: shown, ...drawn }),
      ),
    ],
    ...(kind === 'band' ? { bands: [{ series: [2, 1], fill: faded(series, 0.25) }] } : {}),
    axes: [
      {
        ...axis,
        ...(xText
          ? {
              incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500],
              values: (_, splits) => splits.map(xText),
              space: 90,
            }
          : {}),
      },
      { ...axis, size: 70, values: (_, splits) => splits.map(figure) },
    ],
  };
}

function figure(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return value < 0 ? String(value) : formatCount(value);
  return String(Number(value.toPrecision(5)));
}

/** `rgb(1, 2, 3)` with so much of it. */
function faded(colour: string, alpha: number): string {
  return `color-mix(in srgb, ${colour} ${alpha * 100}%, transparent)`;
}
