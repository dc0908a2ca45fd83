import { HERE } from '../../format/content-ref.ts';
import type { ArtifactEntry } from '../../format/description.ts';
import { lookAgain } from './check-sessions.ts';
import type { Checking } from './checking.ts';
import { lookAtSession } from './look-at-session.ts';
import type { Want, WantedName } from './wanted.ts';

/** Looks again whether one of the first records that wanted something still does: retention may have given them up since they were read. */
export async function isStillWanted(checking: Checking, wanted: WantedName): Promise<boolean> {
  const asked = new Set<string>();
  for (const want of wanted.wants) {
    if (asked.has(want.owner)) continue;
    asked.add(want.owner);
    if (await stands(checking, want, wanted)) return true;
  }
  return false;
}

async function stands(checking: Checking, { owner, kind }: Want, wanted: WantedName): Promise<boolean> {
  if (kind === 'published version') return false; // the session that keeps it wants it as well
  if (!/^(?:flows|loose)\//.test(owner))
    return (await checking.storage.head(owner, checking.call)) !== undefined;
  const shown = await lookAgain(checking, { base: owner });
  if (!shown) return false;
  const { moved, table, description } = await lookAtSession(checking, shown);
  const is = (name: string, place: string = HERE): boolean => name === wanted.name && place === wanted.place;
  if (moved && is(moved.key, moved.place)) return true;
  if (shown.files.has('purged')) return false;
  const wants = ({ key, content, refs = [] }: ArtifactEntry): boolean =>
    (content !== undefined && is(key, content.place)) || refs.some(({ place, name }) => is(name, place));
  if (table?.artifacts.some(wants)) return true;
  return description?.reports.some(({ content }) => is(content.key, content.place)) ?? false;
}
