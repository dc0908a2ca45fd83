import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { shell } from '../../../codec/shell-command.ts';
import { countOf, formatCount } from '../../../options/figures.ts';
import { addressOf, type Failure } from '../../asked.ts';
import { lastLines } from '../../view-questions.ts';
import { ask, serverGone } from '../ask.ts';
import { exported } from '../exported.ts';
import { FailureNote } from '../parts/failure.tsx';
import { Choice } from '../parts/filters.tsx';
import type { Route } from '../route.ts';
import { type LogPiece, LogWindow } from './log-window.ts';

/** So many lines are shown; older ones go. */
const MOST_LINES = 2_000;
/** Lines are drawn at most this often. */
const DRAW_MS = 100;

/** A document of the answer; `left` counts attempts of which nothing is there at first. */
type Followed = LogPiece | { error: Failure } | { left: number };

type Following = 'stopped' | 'following' | 'ended';

interface RunLogsProps {
  route: Route;
  steps: readonly string[];
  /** The failure that is told already. */
  told: string | undefined;
}

/** What the tasks of a run log, as it comes: text alone, the last lines of it. */
export function RunLogs({ route, steps, told }: RunLogsProps): JSX.Element {
  const { step = '' } = route.query;
  const [isOn, setOn] = useState(true);
  const path = [...route.path, ...(step === '' ? [] : [step])].join('/');
  const { window, state, error, left } = useFollowed(path, isOn, () => setOn(false));
  const part = useRef<HTMLElement>(null);
  const last = window.lines.at(-1)?.number;
  // Stays at the end, unless the reader scrolled up.
  useEffect(() => {
    const { current } = part;
    if (current && isOn && current.scrollHeight - current.scrollTop - current.clientHeight < 300)
      current.scrollTop = current.scrollHeight;
  }, [last, isOn]);
  return (
    <section>
      <div class="filters">
        <Choice
          route={route}
          name="step"
          label="Step"
          names={{ '': 'all', ...Object.fromEntries(steps.map((one) => [one, one])) }}
        />
        {state !== 'ended' && (
          <button type="button" onClick={() => setOn(!isOn)}>
            {isOn ? 'Stop' : 'Continue'}
          </button>
        )}
        <p class="quiet told" role="status">
          {state === 'following' ? 'following' : state === 'ended' ? 'all was read' : 'stopped'}
          {window.dropped > 0 && `; the last ${formatCount(MOST_LINES)} lines`}
        </p>
      </div>
      <FailureNote error={error?.message === told ? undefined : error} />
      {left > 0 && (
        <p class="cut">
          What {countOf(left, 'attempt')} logged before is left out: <code>{shell`stowage log ${path}`}</code>
        </p>
      )}
      {window.lines.length === 0 && state !== 'following' && !error && <p>Nothing was logged.</p>}
      {window.lines.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard
        <section class="scrolls logs" ref={part} tabIndex={0} aria-label="logged lines">
          <pre>
            {window.lines.map(({ number, log, text }, index) => (
              <span key={number}>
                {log !== window.lines[index - 1]?.log && <span class="log-name">{`${log}\n`}</span>}
                {`${text}\n`}
              </span>
            ))}
          </pre>
        </section>
      )}
    </section>
  );
}

/**
 * The lines of a path's logs as they come. Stopping ends the request; going on begins anew with the last lines. What fails calls `stop`, and
 * can be gone on with.
 */
function useFollowed(
  path: string,
  isOn: boolean,
  stop: () => void,
): { window: LogWindow; state: Following; left: number; error?: Failure | undefined } {
  const window = useRef({ path, lines: new LogWindow(MOST_LINES) });
  const [, draw] = useState(0);
  const [state, setState] = useState<Following>('following');
  const [error, setError] = useState<Failure>();
  const [left, setLeft] = useState(0);
  useEffect(() => {
    if (!isOn) return setState('stopped');
    const ending = new AbortController();
    window.current = { path, lines: new LogWindow(MOST_LINES) };
    setState('following');
    setError(undefined);
    setLeft(0);
    let [isDrawing, hasFailed] = [false, false];
    const drawSoon = (): void => {
      if (isDrawing) return;
      isDrawing = true;
      setTimeout(() => {
        isDrawing = false;
        draw((count) => count + 1);
      }, DRAW_MS);
    };
    const fail = (failure: Failure): void => {
      hasFailed = true;
      setError(failure);
    };
    const take = (piece: Followed): void => {
      if ('error' in piece) fail(piece.error);
      else if ('left' in piece) setLeft(piece.left);
      else {
        window.current.lines.add(piece);
        drawSoon();
      }
    };
    follow(path, take, ending.signal).then(
      () => (hasFailed && !exported ? stop() : setState('ended')),
      () => {
        if (ending.signal.aborted) return;
        fail(serverGone());
        stop();
      },
    );
    return () => ending.abort();
  }, [path, isOn]);
  return { window: window.current.lines, state, left, error };
}

/** Hands on each document of the answer as it comes. */
async function follow(path: string, take: (piece: Followed) => void, signal: AbortSignal): Promise<void> {
  const asked = lastLines(path);
  if (exported) {
    const { result, error } = await ask<{ logs: LogPiece[]; more?: number }>(asked, signal);
    for (const piece of result?.logs ?? []) take(piece);
    if (result?.more !== undefined) take({ left: result.more });
    if (error) take({ error });
    return;
  }
  const response = await fetch(`follow/${addressOf(asked)}`, { signal });
  if (!response.ok || !response.body) {
    const text = await response.text();
    return take({ error: failureIn(text) });
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const lines = (rest + value).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') take(JSON.parse(line));
  }
}

/** The error that an answer tells, which may be of a proxy or no JSON at all. */
function failureIn(text: string): Failure {
  try {
    const { error } = JSON.parse(text) as { error?: Failure };
    if (error) return error;
  } catch {
    // told as it is
  }
  return { code: 'LOGS_NOT_FOLLOWED', message: text.slice(0, 500) };
}
