import type { JSX } from 'preact';
import { formatBytes } from '../../../options/figures.ts';
import type { PublishedVersionJson } from '../../../published/published-version.ts';
import type { FoundAttempt } from '../../../store-index/find.ts';
import { codecText, referenceText, storedText } from '../../../views/artifact-texts.ts';
import type { ArtifactView as ArtifactHead, AttemptSummary } from '../../../views/attempts.ts';
import type { ShownTask } from '../../../views/shown-task.ts';
import { shown, shownArtifact } from '../../view-questions.ts';
import { useAnswer } from '../ask.ts';
import { exported } from '../exported.ts';
import { artifactHref } from '../parts/addresses.ts';
import { Crumbs } from '../parts/crumbs.tsx';
import { Download } from '../parts/download.tsx';
import { Fact, Facts } from '../parts/facts.tsx';
import { FailureNote } from '../parts/failure.tsx';
import { IndexNote } from '../parts/index-note.tsx';
import { numberLeaves } from '../parts/leaves.ts';
import { Lineage } from '../parts/lineage.tsx';
import { PathLink } from '../parts/path-link.tsx';
import { Preview } from '../parts/preview.tsx';
import { Status } from '../parts/status.tsx';
import { Versions } from '../parts/versions.tsx';
import type { Route } from '../route.ts';

/** An artifact: what it is and holds, where it came from and who used it, its other versions. */
export function ArtifactView({ path }: Route): JSX.Element {
  const name = path[5] ?? '';
  const pathspec = path.slice(0, 5).join('/');
  // An export has the answers to what the views of its tasks ask.
  const asked = exported ? shown(pathspec) : shownArtifact(pathspec, name);
  const { result, error, isLoading } = useAnswer<ShownTask>(asked);
  const attempt = result?.attempts.find((one) => one.attempt === result.attempt);
  const artifact = attempt?.artifacts.find((one) => one.name === name);
  return (
    <>
      <Crumbs names={path} />
      <h1>{name}</h1>
      {isLoading && !result && <p role="status">reading …</p>}
      <FailureNote error={error} />
      {attempt?.failure?.message !== error?.message && <FailureNote error={attempt?.failure} />}
      {attempt && !attempt.failure && !artifact && <Absent attempt={attempt} name={name} />}
      {result && attempt && artifact && (
        <Shown pathspec={pathspec} task={result} attempt={attempt} artifact={artifact} />
      )}
    </>
  );
}

function Absent({ attempt, name }: { attempt: AttemptSummary; name: string }): JSX.Element {
  const { status, erased } = attempt;
  if (erased?.artifacts.includes(name)) return <p class="failure">It was erased: {erased.reason}</p>;
  return (
    <p role="alert">
      Attempt {attempt.attempt}, which is <Status status={status} />, has no artifact of this name.
    </p>
  );
}

interface ShownProps {
  pathspec: string;
  task: ShownTask;
  attempt: AttemptSummary;
  artifact: ArtifactHead;
}

function Shown(props: ShownProps): JSX.Element {
  const { pathspec, attempt, artifact } = props;
  const { name } = artifact;
  return (
    <>
      <Head pathspec={pathspec} attempt={attempt} artifact={artifact} />
      <section>
        <h2>Preview</h2>
        {attempt.purged ? (
          <p class="quiet">Its content was given up.</p>
        ) : (
          <Preview pathspec={pathspec} artifact={name} isInAddress />
        )}
      </section>
      {exported ? (
        <p class="quiet">
          What it came from, who used it, its other versions and the same content elsewhere are not in this
          export: they tell of other runs.
        </p>
      ) : (
        <Beyond {...props} />
      )}
    </>
  );
}

/** What the store knows of the artifact beyond its run. */
function Beyond(props: ShownProps): JSX.Element {
  const { pathspec, task, attempt, artifact } = props;
  const { name, type, key } = artifact;
  const leaves = numberLeaves(attempt.metadata ?? {});
  return (
    <>
      <section>
        <h2>Where its attempt came from, and who used it</h2>
        <Lineage of={pathspec} steps="all" />
      </section>
      <section>
        <h2>Versions of {name}</h2>
        <Versions flow={task.flow} step={task.step} artifact={name} {...{ type, pathspec, leaves }} />
      </section>
      <section>
        <h2>The same content elsewhere</h2>
        <Elsewhere pathspec={pathspec} artifact={name} contentKey={key} />
      </section>
      <section>
        <h2>Published</h2>
        <Published pathspec={pathspec} artifact={name} />
      </section>
    </>
  );
}

function Head(props: { pathspec: string; attempt: AttemptSummary; artifact: ArtifactHead }): JSX.Element {
  const { pathspec, attempt, artifact } = props;
  const { name, type, encoding, key, bytes, place, reference } = artifact;
  return (
    <>
      <Facts>
        <Fact name="Type">
          {type} <span class="quiet">{encoding}</span>
        </Fact>
        <Fact name="Size">{formatBytes(bytes)}</Fact>
        <Fact name="Stored">{storedText(artifact)}</Fact>
        <Fact name="Codec">{codecText(artifact)}</Fact>
        <Fact name="Digest">
          <span class="digest">{key}</span>
        </Fact>
        <Fact name="Place">{place}</Fact>
        <Fact name="Refers to">{referenceText(reference)}</Fact>
        <Fact name="Digest of the file">
          {reference?.digest !== undefined && <span class="digest">{reference.digest}</span>}
        </Fact>
        <Fact name="Media type">{reference?.mediaType}</Fact>
        <Fact name="Attempt">
          <PathLink path={pathspec} /> <Status status={attempt.status} />
        </Fact>
      </Facts>
      {!attempt.purged && (
        <p>
          <Download pathspec={pathspec} artifact={name} stored={artifact} />
        </p>
      )}
    </>
  );
}

/** So many others are shown. */
const MAX_OTHERS = 50;

function Elsewhere(props: { pathspec: string; artifact: string; contentKey: string }): JSX.Element {
  const { pathspec, artifact, contentKey } = props;
  const options = { key: contentKey, 'all-attempts': true as const, limit: String(MAX_OTHERS) };
  const { result, error, isLoading } = useAnswer<{ attempts: FoundAttempt[]; isCut: boolean }>({
    command: 'find',
    options,
  });
  const others = (result?.attempts ?? []).flatMap((one) =>
    one.artifacts
      .filter(({ name }) => one.pathspec !== pathspec || name !== artifact)
      .map(({ name }) => ({ name, of: one.pathspec, status: one.status })),
  );
  return (
    <>
      {isLoading && <p role="status">asking the index …</p>}
      <IndexNote error={error} />
      {result && others.length === 0 && <p class="quiet">Nowhere that the index knows.</p>}
      <ul class="paths">
        {others.map(({ of, name, status }) => (
          <li key={`${of}/${name}`}>
            <a href={artifactHref(of, name)}>
              {of}/{name}
            </a>{' '}
            <Status status={status} />
          </li>
        ))}
      </ul>
      {result?.isCut && <p class="quiet">The newest {MAX_OTHERS} attempts; there are more.</p>}
    </>
  );
}

/** A version as `published --json` lists it. */
type ListedVersion = Partial<PublishedVersionJson> & { name: string; version: number; withdrawn: boolean };

function Published({ pathspec, artifact }: { pathspec: string; artifact: string }): JSX.Element {
  const { result, error, isLoading } = useAnswer<{ published: ListedVersion[] }>({
    command: 'published',
    options: { of: `${pathspec}/${artifact}` },
  });
  const versions = result?.published.filter(({ withdrawn }) => !withdrawn);
  return (
    <>
      {isLoading && <p role="status">reading …</p>}
      <FailureNote error={error} />
      {versions?.length === 0 && <p class="quiet">It is not the latest version of any name.</p>}
      <ul class="paths">
        {versions?.map(({ name, version, publishedAt, description }) => (
          <li key={name}>
            <strong>
              {name}/{version}
            </strong>{' '}
            {description} <span class="quiet">{publishedAt}</span>
          </li>
        ))}
      </ul>
    </>
  );
}
