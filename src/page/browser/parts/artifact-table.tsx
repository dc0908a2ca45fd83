import { Fragment, type JSX } from 'preact';
import { useState } from 'preact/hooks';
import { countOf, formatBytes } from '../../../options/figures.ts';
import { bytesStored, codecText, referenceText, shortKey } from '../../../views/artifact-texts.ts';
import type { ArtifactView } from '../../../views/attempts.ts';
import { useAddressedNames } from '../route.ts';
import { artifactHref } from './addresses.ts';
import { Download } from './download.tsx';
import { Preview } from './preview.tsx';
import { Scrolls } from './scrolls.tsx';

/** So many are drawn, until more are asked for. */
const AT_ONCE = 200;

/** The artifacts of an attempt; a preview of each opens in place. */
export function ArtifactTable(props: {
  pathspec: string;
  artifacts: readonly ArtifactView[];
  /** The content was given up. */
  isPurged: boolean;
}): JSX.Element {
  const { pathspec, artifacts, isPurged } = props;
  const [open, toggle] = useAddressedNames('open');
  const [drawn, setDrawn] = useState(AT_ONCE);
  const rest = artifacts.length - drawn;
  return (
    <Scrolls label="artifacts">
      <table class="artifacts">
        <thead>
          <tr>
            <th>Artifact</th>
            <th>Type</th>
            <th class="number">Size</th>
            <th class="number">Stored</th>
            <th>Codec</th>
            <th>Digest</th>
            <th>Content</th>
          </tr>
        </thead>
        <tbody>
          {artifacts.slice(0, drawn).map((artifact) => {
            const { name, type, bytes, key, reference, place } = artifact;
            const isOpen = open.has(name);
            const refersTo = referenceText(reference);
            return (
              <Fragment key={name}>
                <tr>
                  <th scope="row">
                    <a href={artifactHref(pathspec, name)}>{name}</a>
                  </th>
                  <td>
                    {type}
                    {refersTo !== '' && <div class="quiet refers">{refersTo}</div>}
                    {place !== undefined && <div class="quiet">at the place {place}</div>}
                  </td>
                  <td class="number">{formatBytes(bytes)}</td>
                  <td class="number">{bytesStored(artifact)}</td>
                  <td>{codecText(artifact)}</td>
                  <td class="digest" title={key}>
                    {shortKey(key)}
                  </td>
                  <td>
                    {!isPurged && (
                      <span class="choices">
                        <button type="button" aria-expanded={isOpen} onClick={() => toggle(name)}>
                          {isOpen ? 'Close' : 'Preview'}
                          <span class="unseen"> {name}</span>
                        </button>
                        <Download pathspec={pathspec} artifact={name} stored={artifact} />
                      </span>
                    )}
                  </td>
                </tr>
                {isOpen && (
                  <tr class="opened">
                    <td colSpan={7}>
                      <div class="in-place">
                        <Preview pathspec={pathspec} artifact={name} />
                      </div>
                    </td>
                  </tr>
                )}
              </Fragment>
            );
          })}
        </tbody>
      </table>
      {rest > 0 && (
        <button type="button" onClick={() => setDrawn(drawn + AT_ONCE)}>
          {countOf(rest, 'artifact')} more
        </button>
      )}
    </Scrolls>
  );
}
