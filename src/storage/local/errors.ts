import { attempted, isStowageError, StowageError, type StowageErrorCode } from '../../errors.ts';

/** The meaning of a failed system call's code for the caller, and the remedy. */
interface Meaning {
  code: StowageErrorCode;
  what: string;
  remedy: string;
}

const FULL: Meaning = {
  code: 'STORAGE_FULL',
  what: 'the disk or the quota is full',
  remedy:
    'free some space there (other files, or a whole store that nobody needs any more) or raise the quota, and try again',
};
const NOT_PERMITTED: Meaning = {
  code: 'STORAGE_NOT_PERMITTED',
  what: 'this user may not do that there',
  remedy: 'check the owner and the mode of the folder, and whether it is mounted read-only',
};
const BUSY: Meaning = {
  code: 'STORAGE_UNAVAILABLE',
  what: 'the system cannot do it at the moment',
  remedy: 'try again; where it lasts, raise the limit that its cause names or do less at a time',
};
const NOT_LET: Meaning = {
  code: 'STORAGE_NOT_PERMITTED',
  what: "Node's permission model does not let this process do that there",
  remedy: "start it with --allow-fs-read and --allow-fs-write for the store's folder and all within it",
};
const NO_FSYNC: Meaning = {
  code: 'STORAGE_UNSUPPORTED',
  what: 'files cannot be synced there, so that nothing could be promised to survive a power failure',
  remedy:
    'put the store on a file system that can, or do without that promise: open it with fsync: false, as in openStorage(path, { local: { fsync: false } })',
};
const NO_FSYNC_API: Meaning = {
  ...NO_FSYNC,
  what: "Node's permission model lets no program sync files, so that nothing could be promised to survive a power failure",
  remedy: `run without it, or do without that promise: open the store with fsync: false, as in openStorage(path, { local: { fsync: false } })`,
};
const NO_LINKS: Meaning = {
  code: 'STORAGE_UNSUPPORTED',
  what: 'the file system cannot make hard links there, so that no write could be made visible at once and whole',
  remedy: 'put the store on a file system that can (ext4, xfs, btrfs, zfs, APFS, NTFS, tmpfs, NFS)',
};
const ACROSS: Meaning = {
  code: 'STORAGE_UNSUPPORTED',
  what: 'a folder inside the store lies on another file system than its .stowage-tmp/',
  remedy: 'keep the whole store on one file system',
};
const OCCUPIED: Meaning = {
  code: 'INVALID_ARGUMENT',
  what: 'the name of an object cannot also be a folder of other objects',
  remedy: 'choose another name',
};
const NO_FOLDER: Meaning = {
  code: 'STORAGE_FAILED',
  what: 'its folder cannot be made, or is removed again and again, or a link on the way leads nowhere',
  remedy: 'choose a folder in which folders can be made, and see who removes them',
};
const TOO_LONG: Meaning = {
  code: 'INVALID_ARGUMENT',
  what: 'the path is longer than the system takes',
  remedy: 'put the store in a folder with a shorter path',
};
const IN_CIRCLES: Meaning = {
  code: 'INVALID_ARGUMENT',
  what: 'its links lead round in a circle',
  remedy: 'mend the links, or give the path of a folder',
};
const OTHER: Meaning = {
  code: 'STORAGE_FAILED',
  what: 'the system call failed',
  remedy: 'see the cause, and check the disk and its mount',
};

/**
 * The meanings of the system's codes. Those that pass by themselves are `STORAGE_UNAVAILABLE`, which is retried;
 * `EIO` is none of them: a disk that loses data is not to be tried until it says yes.
 */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  ENOSPC: FULL,
  EDQUOT: FULL,
  EACCES: NOT_PERMITTED,
  ERR_ACCESS_DENIED: NOT_LET,
  EPERM: NOT_PERMITTED,
  EROFS: NOT_PERMITTED,
  EAGAIN: BUSY,
  EBUSY: BUSY,
  EDEADLK: BUSY,
  EINTR: BUSY,
  EMFILE: BUSY,
  ENFILE: BUSY,
  ENOBUFS: BUSY,
  ENOLCK: BUSY,
  ENOMEM: BUSY,
  ESTALE: BUSY,
  ETIMEDOUT: BUSY,
  EXDEV: ACROSS,
  ENOENT: NO_FOLDER,
  ENAMETOOLONG: TOO_LONG,
  ELOOP: IN_CIRCLES,
  ENOTDIR: OCCUPIED,
  EISDIR: OCCUPIED,
};

/** Codes of `link` by which a file system says that it has no hard links. (`EPERM` may, see `Writer`.) */
const MEANINGS_OF_LINK: Readonly<Record<string, Meaning>> = {
  EMLINK: NO_LINKS,
  ENOSYS: NO_LINKS,
  ENOTSUP: NO_LINKS,
  EOPNOTSUPP: NO_LINKS,
};

/** Codes of `fsync` by which a file system, or Node.js, says that it does not do it at all. */
const MEANINGS_OF_FSYNC: Readonly<Record<string, Meaning>> = {
  EPERM: NO_FSYNC,
  ENOTSUP: NO_FSYNC,
  EOPNOTSUPP: NO_FSYNC,
  ENOSYS: NO_FSYNC,
  EINVAL: NO_FSYNC,
  ERR_ACCESS_DENIED: NO_FSYNC_API,
};

/** The object of a call. */
export interface Target {
  /** The operation: `create`, `read`, `list`, ... */
  operation: string;
  name: string;
  /** The path the system is asked about. */
  path: string;
}

/** The step at which a call failed. */
export interface FailedStep extends Target {
  /** The system call, if that changes the meaning of its code. */
  step?: 'link' | 'no-links' | 'fsync' | undefined;
}

/** The error of a failed system call, for the caller. Errors that are clear already pass as they are. */
export function localError(error: unknown, at: FailedStep): Error {
  if (isStowageError(error)) return error;
  const systemCode = codeOf(error);
  if (systemCode === undefined) return error as Error; // what a source threw, whatever that is
  const { code, what, remedy } = classify(systemCode, at.step);
  const { operation, name, path } = at;
  return new StowageError(
    code,
    `Could not ${operation} "${name}" at ${path}: ${what} (${systemCode}); ${remedy}.`,
    { details: { operation, name, path, systemCode }, cause: error },
  );
}

/** The code of a failed system call (`ENOENT`), or `undefined` for any other error. */
export function codeOf(error: unknown): string | undefined {
  const members = ({ code, syscall }: NodeJS.ErrnoException) => ({ code, syscall });
  const { code, syscall } = attempted(() => members(error as NodeJS.ErrnoException)) ?? {};
  const isOfSystem = syscall !== undefined || code === 'ERR_ACCESS_DENIED';
  return typeof code === 'string' && (isOfSystem || /^E[A-Z0-9]+$/.test(code)) ? code : undefined;
}

/** True if nothing is at the path: neither it, nor a folder on the way to it. */
export function isAbsent(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function classify(systemCode: string, step: FailedStep['step']): Meaning {
  if (step === 'no-links') return NO_LINKS;
  if (step === 'fsync' && MEANINGS_OF_FSYNC[systemCode]) return MEANINGS_OF_FSYNC[systemCode];
  if (step === 'fsync') {
    const what = 'the system could not write it to the disk, and may have lost what it held';
    const remedy = 'check the disk, open the store anew, and write again what was not finished';
    return { code: 'STORAGE_FAILED', what, remedy };
  }
  return (step === 'link' && MEANINGS_OF_LINK[systemCode]) || MEANINGS[systemCode] || OTHER;
}
