/** The first argument of the calls that the shells' completion scripts make. It is no command that people call. */
export const COMPLETE = '__complete';
