import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { countOf, formatBytes } from '../../../options/figures.ts';
import type { DirectoryPage, NumbersSummary, Preview as Shown } from '../../../views/previews/shown.ts';
import { MAX_ANSWER_BYTES } from '../../content-bounds.ts';
import { contentQuestion } from '../../exported-answers.ts';
import { filesFrom, PAGE_FILES, type Place, previewed } from '../../view-questions.ts';
import { useAnswer } from '../ask.ts';
import { exported } from '../exported.ts';
import { useAddress } from '../route.ts';
import { numberIn } from '../route-address.ts';
import { contentAddress } from './addresses.ts';
import { Chart } from './chart.tsx';
import { Download } from './download.tsx';
import { FailureNote } from './failure.tsx';
import { JsonTree } from './json-tree.tsx';
import { Markdown } from './markdown.tsx';
import { OnceWanted } from './once-wanted.tsx';
import { exact, histogramOf, lineOfNumbers, textOfNumbers } from './plotted.ts';
import { Rows } from './rows.tsx';
import { Scrolls } from './scrolls.tsx';

/** What an artifact holds, as its kind is shown. What is chosen in the one of a view `isInAddress`. */
export function Preview({ isInAddress = false, ...place }: Place & { isInAddress?: boolean }): JSX.Element {
  const { result, error, isLoading } = useAnswer<Shown>(previewed(place));
  return (
    <div class="preview">
      {isLoading && <p role="status">reading …</p>}
      <FailureNote error={error} />
      {result && <OfKind shown={result} at={place} isInAddress={isInAddress} />}
    </div>
  );
}

function OfKind(props: { shown: Shown; at: Place; isInAddress: boolean }): JSX.Element {
  const { shown, at, isInAddress } = props;
  const { artifact, entry } = at;
  const name = entry ?? artifact;
  switch (shown.kind) {
    case 'json':
      return <JsonTree value={shown.value} label={name} />;
    case 'text':
    case 'markdown':
      return <Text {...shown} {...{ name, isInAddress }} />;
    case 'image':
      return (
        <OnceWanted bytes={shown.bytes} name={name}>
          <Media kind={shown.kind} name={shown.reference?.name ?? name} at={at} />
        </OnceWanted>
      );
    case 'audio':
    case 'video':
      return <Media kind={shown.kind} name={shown.reference?.name ?? name} at={at} bytes={shown.bytes} />;
    case 'numbers':
      return <Numbers numbers={shown.numbers} name={name} />;
    case 'table':
      return <Rows {...at} {...{ isInAddress }} first={shown.table} />;
    case 'directory':
      return <Directory {...{ at, isInAddress }} first={shown.directory} />;
    case 'bytes':
      return <Bytes base64={shown.base64} bytes={shown.bytes} />;
    case 'elsewhere':
      return (
        <p class="quiet">
          It lies outside of the store{shown.reference?.uri !== undefined && `, at ${shown.reference.uri}`},
          and is not read from there.
        </p>
      );
    case 'unshown':
      return <p class="quiet">{shown.note}</p>;
  }
}

function Text(props: {
  kind: 'text' | 'markdown';
  text: string;
  name: string;
  isWhole: boolean;
  bytes: number;
  isInAddress: boolean;
}): JSX.Element {
  const { kind, text, name, isWhole, bytes, isInAddress } = props;
  const [{ typed }, setAddress] = useAddress(['typed'], isInAddress);
  const isPlain = typed !== '';
  if (text === '') return <p class="quiet">Empty.</p>;
  return (
    <>
      {kind === 'markdown' && (
        <p>
          <button
            type="button"
            aria-pressed={isPlain}
            onClick={() => setAddress({ typed: isPlain ? '' : 'yes' })}
          >
            As it is typed
          </button>
        </p>
      )}
      <Scrolls label={name} tall>
        {kind === 'markdown' && !isPlain ? <Markdown text={text} /> : <pre class="text">{text}</pre>}
      </Scrolls>
      {!isWhole && (
        <p class="cut">
          The beginning of {formatBytes(bytes)}
          {!exported && ': download it for the rest'}.
        </p>
      )}
    </>
  );
}

/** What a browser shows by itself; it runs no scripts of pictures. Of a large sound or film nothing is loaded before it is played. */
function Media(props: {
  kind: 'image' | 'audio' | 'video';
  name: string;
  at: Place;
  bytes?: number;
}): JSX.Element | null {
  const { kind, name, at, bytes = 0 } = props;
  const { pathspec, artifact, entry } = at;
  const inExport = useAnswer<string>(exported && contentQuestion(pathspec, artifact, entry));
  const address = exported ? inExport.result : contentAddress(pathspec, artifact, { entry });
  const [isBroken, setIsBroken] = useState(false);
  const broken = (): void => setIsBroken(true);
  if (isBroken)
    return <p class="quiet">This browser cannot show it: its bytes are damaged, or of another kind.</p>;
  if (address === undefined) return <FailureNote error={inExport.error} />;
  if (kind === 'image') return <img class="media" src={address} alt={name} onError={broken} />;
  const Player = kind;
  return (
    <Player
      class="media"
      controls
      preload={bytes > MAX_ANSWER_BYTES ? 'none' : 'metadata'}
      src={address}
      aria-label={name}
      onError={broken}
    />
  );
}

function Numbers({ numbers, name }: { numbers: NumbersSummary; name: string }): JSX.Element {
  const histogram = useMemo(() => histogramOf(numbers), [numbers]);
  const line = useMemo(() => lineOfNumbers(numbers), [numbers]);
  const { count, dtype, min, max, mean, nans, infinities } = numbers;
  const facts: [string, string][] = [
    ['Count', exact(count)],
    ['Type', dtype],
    ...(min === null || max === null
      ? []
      : ([
          ['Min', exact(min)],
          ['Max', exact(max)],
        ] as [string, string][])),
    ...(mean === null ? [] : ([['Mean', exact(mean)]] as [string, string][])),
    ['NaN', exact(nans)],
    ...(infinities === 0 ? [] : ([['Infinite', exact(infinities)]] as [string, string][])),
  ];
  const text = `${name}: ${textOfNumbers(numbers)}`;
  return (
    <>
      <dl class="figures">
        {facts.map(([fact, value]) => (
          <div key={fact}>
            <dt>{fact}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {count > 0 && min === null && <p class="quiet">None of them is finite.</p>}
      <div class="charts">
        {histogram && (
          <figure>
            <figcaption>How many there are of each size</figcaption>
            <Chart plotted={histogram} label={`Histogram of ${text}`} />
          </figure>
        )}
        {line && (
          <figure>
            <figcaption>
              In their order
              {numbers.line.step > 1 && `, lowest and highest of each ${exact(numbers.line.step)}`}
            </figcaption>
            <Chart plotted={line} label={`Line of ${text}`} />
          </figure>
        )}
      </div>
    </>
  );
}

/** What is chosen in a file; another file has none of it. */
const WITHIN_FILE = ['row', 'from', 'typed'] as const;

function Directory(props: { at: Place; first: DirectoryPage; isInAddress: boolean }): JSX.Element {
  const { at, first, isInAddress } = props;
  const { pathspec, artifact } = at;
  const [address, setAddress] = useAddress(['files', 'file', ...WITHIN_FILE], isInAddress);
  const offset = numberIn(address.files) ?? 0;
  const open = address.file;
  const goOn = (files: number): void => setAddress({ files: files <= 0 ? '' : String(files) });
  const turn = (file: string): void =>
    setAddress({ file: open === file ? '' : file, row: '', from: '', typed: '' });
  const { result, error, isLoading } = useAnswer<Shown>(filesFrom(at, offset));
  const { entries, total } = (result?.kind === 'directory' ? result.directory : undefined) ?? first;
  return (
    <>
      <FailureNote error={error} />
      <p aria-live="polite">
        {total > PAGE_FILES
          ? `Files ${offset + 1} to ${Math.min(total, offset + PAGE_FILES)} of ${countOf(total, 'file')}`
          : countOf(total, 'file')}{' '}
        {total > PAGE_FILES && (
          <>
            <button type="button" disabled={offset === 0} onClick={() => goOn(offset - PAGE_FILES)}>
              Earlier
            </button>{' '}
            <button
              type="button"
              disabled={offset + PAGE_FILES >= total || isLoading}
              onClick={() => goOn(offset + PAGE_FILES)}
            >
              Later
            </button>
          </>
        )}
      </p>
      <Scrolls label={`files of ${artifact}`} tall>
        <table class="files">
          <thead>
            <tr>
              <th>File</th>
              <th class="number">Size</th>
              <th>Content</th>
            </tr>
          </thead>
          <tbody>
            {entries.map(({ path, bytes }) => (
              <tr key={path}>
                <td>
                  {path}
                  {open === path && <Preview {...{ pathspec, artifact, isInAddress }} entry={path} />}
                </td>
                <td class="number">{formatBytes(bytes)}</td>
                <td>
                  <span class="choices">
                    <button type="button" aria-expanded={open === path} onClick={() => turn(path)}>
                      {open === path ? 'Close' : 'Preview'}
                      <span class="unseen"> {path}</span>
                    </button>
                    <Download pathspec={pathspec} artifact={artifact} entry={path} />
                  </span>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scrolls>
    </>
  );
}

const BYTES_A_LINE = 16;

/** The first bytes, as numbers and as the letters that they would be. */
function Bytes({ base64, bytes }: { base64: string; bytes: number }): JSX.Element {
  const first = atob(base64);
  const lines: string[] = [];
  for (let at = 0; at < first.length; at += BYTES_A_LINE) {
    const line = [...first.slice(at, at + BYTES_A_LINE)];
    const hex = line.map((byte) => byte.charCodeAt(0).toString(16).padStart(2, '0')).join(' ');
    const letters = line.map((byte) => (byte >= ' ' && byte <= '~' ? byte : '.')).join('');
    lines.push(`${at.toString(16).padStart(4, '0')}  ${hex.padEnd(BYTES_A_LINE * 3)} ${letters}`);
  }
  if (bytes === 0) return <p class="quiet">Empty.</p>;
  return (
    <>
      <Scrolls label="bytes" tall>
        <pre>{lines.join('\n')}</pre>
      </Scrolls>
      {first.length < bytes && <p class="cut">The beginning of {formatBytes(bytes)}.</p>}
    </>
  );
}
