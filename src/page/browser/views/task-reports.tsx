import type { JSX } from 'preact';
import { formatBytes } from '../../../options/figures.ts';
import type { ReportView } from '../../../views/reports.ts';
import { reportQuestion } from '../../exported-answers.ts';
import { useAnswer } from '../ask.ts';
import { exported } from '../exported.ts';
import { reportAddress } from '../parts/addresses.ts';
import { FailureNote } from '../parts/failure.tsx';
import { OnceWanted } from '../parts/once-wanted.tsx';
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
            {isOpen && (
              <OnceWanted bytes={bytes} name={name}>
                <Frame pathspec={pathspec} name={name} />
              </OnceWanted>
            )}
          </div>
        );
      })}
    </section>
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
