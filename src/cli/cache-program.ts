import type { Command } from 'commander';
import type { EvictOptions } from './commands/cache-evict.ts';
import type { LsOptions } from './commands/cache-ls.ts';
import type { Execute } from './execute.ts';

/** `stowage cache ...`: what concerns the results of cached tasks. */
export function addCacheCommands(program: Command, execute: Execute): void {
  const cache = program
    .command('cache')
    .usage('<command> [options]')
    .description('list, explain and evict the stored results of cached tasks');

  withFilters(cache.command('ls').description('list the entries of the cache, newest first'))
    .option('--since <age>', 'only entries stored since: an age (12h, 7d) or a date (2026-01-31)')
    .option('-n, --limit <count>', 'how many at most; "all" for no limit', '50')
    .action((options: LsOptions, command: Command) =>
      execute(command, async (invocation) => {
        const { cacheLs } = await import('./commands/cache-ls.ts');
        await cacheLs(invocation, options);
      }),
    );

  cache
    .command('show')
    .description('show an entry: is it a hit, what is its key made of, where is it from')
    .argument('<key>', 'the first digits of its key')
    .action((key: string, _options: object, command: Command) =>
      execute(command, async (invocation) => {
        const { cacheShow } = await import('./commands/cache-show.ts');
        await cacheShow(invocation, key);
      }),
    );

  cache
    .command('explain')
    .description('tell why a call was no hit: which parts of two keys differ, and where')
    .argument('<key>', 'the first digits of its key')
    .argument('[other-key]', 'the key to compare with; default: the nearest of the same task')
    .action((key: string, other: string | undefined, _options: object, command: Command) =>
      execute(command, async (invocation) => {
        const { cacheExplain } = await import('./commands/cache-explain.ts');
        await cacheExplain(invocation, key, other);
      }),
    );

  withFilters(
    cache
      .command('evict')
      .description('remove entries from the cache, so that their calls run again')
      .argument('[key...]', 'the first digits of their keys'),
  )
    .option('--all', 'all entries')
    .option('-y, --yes', 'do it; without this, only tell what would be done')
    .action((keys: string[], options: EvictOptions, command: Command) =>
      execute(command, async (invocation) => {
        const { cacheEvict } = await import('./commands/cache-evict.ts');
        await cacheEvict(invocation, keys, options);
      }),
    );

  cache
    .command('stats')
    .description('count the entries by task, and how long it took to make them')
    .action((_options: object, command: Command) =>
      execute(command, async (invocation) => {
        const { cacheStats } = await import('./commands/cache-stats.ts');
        await cacheStats(invocation);
      }),
    );
}

function withFilters(command: Command): Command {
  return command
    .option('--task <name>', 'only entries of this task')
    .option('--scope <scope>', 'only entries of this scope: global, the name of a flow, or another')
    .option('--older-than <age>', 'only entries stored before: an age (12h, 7d) or a date (2026-01-31)');
}
