import type { Command } from 'commander';
import type { Invocation } from './invocation.ts';

/** Runs a command's work under the options that every command takes. */
export type Execute = (command: Command, work: (invocation: Invocation) => Promise<void>) => Promise<void>;
