import type { ArtifactInfo } from '../../flow/artifact-info.ts';
import { encodeSegment } from '../../storage/names.ts';
import { type Form, ownForm } from '../values/artifact-writer.ts';

/** A file that an artifact is written to. */
export interface ArtifactFile {
  artifact: string;
  /** The file's name in its folder. */
  file: string;
  form: Form;
}

/** The extension of files of a form, and the extensions in an artifact's name that say so already. */
interface Extension {
  extension: string;
  kept: RegExp;
}

/** Any: text and bytes have many kinds, and the name says which. */
const ANY_EXTENSION = /[^.]\.[a-z][a-z0-9]{0,9}$/i;
const EXTENSIONS: Readonly<Record<Form, Extension>> = {
  bytes: { extension: '.bin', kept: ANY_EXTENSION },
  text: { extension: '.txt', kept: ANY_EXTENSION },
  json: { extension: '.json', kept: /[^.]\.(?:[a-z]*json|ipynb)$/i },
  csv: { extension: '.csv', kept: /[^.]\.csv$/i },
  file: { extension: '.bin', kept: ANY_EXTENSION },
};
/** The format's makers recommend it for streams; `.arrow` is a file with an index. */
const ARROW_STREAM: Extension = { extension: '.arrows', kept: /[^.]\.arrows?$/i };

/**
 * The file of each artifact of an attempt: named after it, with what file systems cannot hold percent-encoded, and with an
 * extension that tells the form. No two are one file, not even where capitals do not count; a name depends only on which
 * artifacts the attempt has.
 *
 * @param referenced - the names of the files and directories that artifacts refer to, by artifact: their extensions are kept
 */
export function filesOf(
  artifacts: readonly ArtifactInfo[],
  form: Form | undefined,
  referenced: ReadonlyMap<string, string> = new Map(),
): ArtifactFile[] {
  const planned = artifacts.map((info) => planOf(info, form, referenced.get(info.name)));
  const counts = new Map<string, number>();
  for (const { file } of planned) counts.set(folded(file), (counts.get(folded(file)) ?? 0) + 1);
  const taken = new Set<string>();
  const files = new Map<string, ArtifactFile>();
  // What has an extension is what people look for by that name.
  for (const plan of planned.sort((a, b) => a.ending.length - b.ending.length)) {
    const { artifact, extension, ending } = plan;
    const isShared = (counts.get(folded(plan.file)) as number) > 1;
    let file = isShared ? encodeSegment(artifact, 'fold') + ending : plan.file;
    while (taken.has(folded(file))) file += extension;
    taken.add(folded(file));
    files.set(artifact, { artifact, file, form: plan.form });
  }
  return artifacts.map(({ name }) => files.get(name) as ArtifactFile);
}

/** The name of an artifact's file if no other has it. `ending` is the extension, unless the name has it. */
function planOf(
  info: ArtifactInfo,
  wanted: Form | undefined,
  referenced: string | undefined,
): ArtifactFile & { extension: string; ending: string } {
  // Tables are kept whole: JSON would lose their types.
  const form = wanted ?? (info.encoding === 'arrow' ? 'bytes' : ownForm(info));
  const { kept, ...usual } = info.encoding === 'arrow' && form === 'bytes' ? ARROW_STREAM : EXTENSIONS[form];
  const own = form === 'file' ? ANY_EXTENSION.exec(referenced ?? '')?.[0].slice(1) : undefined;
  const extension = own ?? usual.extension;
  const isFolder = form === 'file' && info.type === 'DirectoryRef';
  const ending = isFolder || kept.test(info.name) ? '' : extension;
  return { artifact: info.name, file: encodeSegment(info.name, 'exact') + ending, form, extension, ending };
}

/** As a file system sees it that merges capitals. */
function folded(file: string): string {
  return file.toLowerCase();
}
