import type { JSX } from 'preact';
import { countOf, formatBytes } from '../../../options/figures.ts';
import { codeFrom, PAGE_FILES } from '../../view-questions.ts';
import { useAnswer } from '../ask.ts';
import { codeAddress } from '../parts/addresses.ts';
import { FailureNote } from '../parts/failure.tsx';
import { Scrolls } from '../parts/scrolls.tsx';
import { useAddress } from '../route.ts';
import { numberIn } from '../route-address.ts';

/** The answer of `stowage code --json`, as far as it is shown. */
interface Listing {
  fileCount: number;
  size: number;
  digest: string;
  files: { path: string; size: number; executable: boolean }[];
  next?: number;
}

/** The files of the code of a run, page by page, each to be saved, and all of them together. */
export function RunCode({ run }: { run: string }): JSX.Element {
  const [address, setAddress] = useAddress(['files']);
  const offset = numberIn(address.files) ?? 0;
  const { result, error, isLoading } = useAnswer<Listing>(codeFrom(run, offset));
  const goOn = (files: number): void => setAddress({ files: files <= 0 ? '' : String(files) });
  const { files = [], next } = result ?? {};
  return (
    <section>
      {isLoading && <p role="status">reading …</p>}
      <FailureNote error={error} />
      {result && (
        <>
          <p aria-live="polite">
            {countOf(result.fileCount, 'file')}, {formatBytes(result.size)},{' '}
            <span class="digest">{result.digest.slice(0, 12)}</span>{' '}
            <a href={codeAddress(run)} download>
              Download all<span class="unseen"> files</span>
            </a>{' '}
            <span class="quiet">as a tar archive</span>
          </p>
          {(offset > 0 || next !== undefined) && (
            <p>
              {files.length > 0 && `${offset + 1} to ${offset + files.length} `}
              <button type="button" disabled={offset === 0} onClick={() => goOn(offset - PAGE_FILES)}>
                Earlier
              </button>{' '}
              <button type="button" disabled={next === undefined} onClick={() => goOn(next ?? 0)}>
                Later
              </button>
            </p>
          )}
          <Scrolls label="files of the code" tall>
            <table class="files">
              <thead>
                <tr>
                  <th scope="col">File</th>
                  <th scope="col" class="number">
                    Size
                  </th>
                  <th scope="col">Content</th>
                </tr>
              </thead>
              <tbody>
                {files.map(({ path, size, executable }) => (
                  <tr key={path}>
                    <th scope="row">
                      {path} {executable && <span class="quiet">executable</span>}
                    </th>
                    <td class="number">{formatBytes(size)}</td>
                    <td>
                      <a href={codeAddress(run, path)} download>
                        Download<span class="unseen"> {path}</span>
                      </a>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scrolls>
        </>
      )}
    </section>
  );
}
