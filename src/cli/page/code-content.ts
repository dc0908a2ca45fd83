import { StowageError } from '../../errors.ts';
import type { AskedCode, ServedContent } from '../../page/page-host.ts';
import type { DirectoryRef } from '../../references/directory/directory-ref.ts';
import type { OpenedStore } from '../opened-store.ts';
import { Tar } from './tar.ts';

/**
 * A file of the code of a run, or all of it as an archive, whose paths begin with the name of the folder.
 *
 * @throws StowageError `RUN_NOT_FOUND`; `REFERENCE_NOT_FOUND` where the run was made without its code, or that has no such file; what reading
 * it throws
 */
export async function servedCode(
  opened: OpenedStore,
  { flow, run, entry }: AskedCode,
  signal: AbortSignal,
): Promise<ServedContent> {
  const code = await (await opened.flow(flow)).run(run).code({ signal });
  if (!code)
    throw new StowageError('REFERENCE_NOT_FOUND', `The run ${flow}/${run} was made without its code.`, {
      details: { flow, run },
    });
  const saved = { type: undefined, isFixed: true };
  if (entry === undefined) {
    const archive = await archiveOf(code, signal);
    const open: ServedContent['open'] = (range, own) => archive.open(range, own);
    return { ...saved, name: `${code.name}.tar`, size: archive.size, tag: `${code.digest}-tar`, open };
  }
  const file = await code.get(entry, { signal });
  const open: ServedContent['open'] = (range, own) => file.open({ range, signal: own });
  return { ...saved, name: file.name, size: file.size, tag: file.digest, open };
}

async function archiveOf(code: DirectoryRef, signal: AbortSignal): Promise<Tar> {
  const files = await code.files({ signal });
  return new Tar(
    files.map((file) => ({
      path: `${code.name}/${file.path}`,
      size: file.size,
      isExecutable: file.executable,
      open: (range, own) => file.open({ range, signal: own }),
    })),
  );
}
