import { isAbsent, localError } from './errors.ts';
import type { LocalSystem } from './system.ts';

/** File systems of other machines whose clients remember what they saw: magic numbers of Linux (`include/uapi/linux/magic.h`, `statfs(2)`). */
const LINUX_TYPES: ReadonlySet<number> = new Set([
  0x6969, // NFS
  0x517b, // SMB, the oldest client
  0xff534d42, // CIFS
  0xfe534d42, // SMB 2 and 3
]);
/** A folder of another machine on Windows, `\\server\share`; not a device (`\\?\C:`, `\\.\`). */
const WINDOWS_SHARE = /^\\\\(?:\?\\UNC\\|[^\\?.])/i;

/**
 * True if a folder lies on NFS or SMB, as far as it can be told: on Linux by the type of its file system, on Windows by a path that names
 * the server. Drives of Windows that stand for such a path, macOS, and file systems in user space (sshfs) do not tell.
 */
export function isOnNetwork(
  root: string,
  { statfsSync }: Pick<LocalSystem, 'statfsSync'>,
  platform: NodeJS.Platform = process.platform,
): boolean {
  if (platform === 'win32') return WINDOWS_SHARE.test(root);
  if (platform !== 'linux') return false;
  try {
    return LINUX_TYPES.has(statfsSync(root).type);
  } catch (error) {
    if (isAbsent(error)) return false; // there is nothing that could be seen late
    throw localError(error, { operation: 'open', name: root, path: root });
  }
}
