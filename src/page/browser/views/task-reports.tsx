import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { formatBytes } from '../../../options/figures.ts';
import type { ReportView } from '../../../views/reports.ts';
import { MAX_ANSWER_BYTES } from '../../content-bounds.ts';
import { reportQuestion } from '../../exported-answers.ts';
import { useAnswer } from '../ask.ts';
import { exported } from '../exported.ts';
import { reportAddress } from '../parts/addresses.ts';
import { FailureNote } from '../parts/failure.tsx';
import { useAddressedNames } from '../route.ts';

/** The reports of an attempt, each in a frame that may do nothing. */
export function TaskReports(props: { pathspec: string; reports: readonly ReportView[] }): JSX.Element | null {
  const { pathspec, reports } = props;
  // The first is open unless it was closed, the others are closed unless one was opened.
  const [turned, turn] = useAddressedNames('reports');
  if (reports.length === 0) return null;
  return (
    <section>
      <h2>Reports</h2>
      {reports.map(({ name, title, bytes }, index) => {
        const isOpen = (index === 0) !== turned.has(name);
        return (
          <div key={name} class="report">
            <p>
              <button type="button" aria-expanded={isOpen} onClick={() => turn(name)}>
                {isOpen ? 'Close' : 'Open'} {name}
              </button>{' '}
              {title} <span class="quiet">{formatBytes(bytes)}</span>
              {!exported && (
                <>
                  {' '}
                  <a href={reportAddress(pathspec, name, { download: true })} download>
                    Download<span class="unseen"> {name}</span>
                  </a>
                </>
              )}
            </p>
            {isOpen && <Report pathspec={pathspec} name={name} bytes={bytes} />}
          </div>
        );
      })}
    </section>
  );
}

/** A report, or in place of a large one a button that loads it: neither a view that is opened nor an address that somebody was given does. */
function Report({ bytes, ...report }: { pathspec: string; name: string; bytes: number }): JSX.Element {
  const [isWanted, want] = useState(bytes <= MAX_ANSWER_BYTES);
  if (isWanted) return <Frame {...report} />;
  return (
    <p>
      It takes {formatBytes(bytes)}, and is loaded once you ask for it:{' '}
      <button type="button" onClick={() => want(true)}>
        Load {report.name}
      </button>
    </p>
  );
}

function Frame({ pathspec, name }: { pathspec: string; name: string }): JSX.Element {
  const inExport = useAnswer<string>(exported && reportQuestion(pathspec, name));
  const address = exported ? inExport.result : reportAddress(pathspec, name);
  return (
    <>
      <FailureNote error={inExport.error} />
      {address !== undefined && (
        <iframe
          sandbox=""
          loading="lazy"
          referrerpolicy="no-referrer"
          title={`report ${name}`}
          src={address}
        />
      )}
    </>
  );
}
