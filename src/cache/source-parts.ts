// What reads the source of a function: loaded with the parser.
export { freeVariables } from './free-variables.ts';
export { canonicalSource, functionTree } from './syntax-tree.ts';
