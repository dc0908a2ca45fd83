// What saves directories and writes them out: loaded by the first call that does.
export { downloadDirectory } from './download-directory.ts';
export { saveDirectory } from './save-directory.ts';
export { walkTree } from './walk-tree.ts';
