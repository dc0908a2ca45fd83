import type { JsonValue } from '../format/json-value.ts';

/** What is known of a run by its first record. */
interface FilteredRun {
  flow: string;
  run: string;
  tags: readonly string[];
  parameters: Readonly<Record<string, JsonValue>>;
}

/** True of a run that has all of the tags, and says the text in its path, a tag or the parameters as JSON, in capitals or not. */
export function hasTagsAndText(
  { flow, run, tags, parameters }: FilteredRun,
  { tags: wanted = [], text = '' }: { tags?: readonly string[] | undefined; text?: string | undefined },
): boolean {
  if (!wanted.every((tag) => tags.includes(tag))) return false;
  if (text === '') return true;
  const sought = text.toLowerCase();
  return [`${flow}/${run}`, ...tags, JSON.stringify(parameters)].some((said) =>
    said.toLowerCase().includes(sought),
  );
}
