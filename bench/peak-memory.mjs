import { readFileSync, writeFileSync } from 'node:fs';

/**
 * Watches the peak of this process's resident memory from now on; the returned function tells it over what is resident now, in bytes.
 *
 * `maxRSS` will not do where `/proc` is there: a child inherits the peak of its parent at the time it was started. Where `/proc` is
 * not there it is all there is, and `by` says so: such a figure is the most that it can have been.
 */
export function watchPeak() {
  globalThis.gc?.(); // the start's own garbage would be room for the work
  const isExact = resetPeak();
  const before = process.memoryUsage.rss();
  return () => ({
    overBytes: (isExact ? peakBytes() : process.resourceUsage().maxRSS * 1024) - before,
    by: isExact ? 'VmHWM' : 'maxRSS',
  });
}

/** Sets the peak that the system keeps to what is resident now (proc(5), `clear_refs`). */
function resetPeak() {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
    return true;
  } catch (error) {
    if (['ENOENT', 'EACCES', 'EPERM'].includes(error.code)) return false;
    throw error;
  }
}

function peakBytes() {
  return Number(/^VmHWM:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'latin1'))[1]) * 1024;
}
