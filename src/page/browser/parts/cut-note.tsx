import type { JSX } from 'preact';
import { shellWord } from '../../../codec/shell-command.ts';
import { formatCount } from '../../../options/figures.ts';
import type { Asked } from '../../asked.ts';
import { useCutAnswers } from '../cut-answers.ts';

/** Says what is left out of the answers of a view, because an answer takes a megabyte at most, and which command tells all of it. */
export function CutNote({ place }: { place: string }): JSX.Element | null {
  const answers = useCutAnswers(place);
  if (answers.length === 0) return null;
  return (
    <aside class="cut" aria-label="left out">
      <p>An answer takes a megabyte at most, and what is longer is cut. All of it:</p>
      <ul>
        {answers.map(({ asked, cut: { texts, lists } }) => (
          <li key={commandOf(asked)}>
            <code>{commandOf(asked)}</code>
            {texts > 0 && <>; {formatCount(texts)} long texts end in …</>}
            {lists.map(({ at, left }) => (
              <span key={at}>
                ; {formatCount(left)} more of {at}
              </span>
            ))}
          </li>
        ))}
      </ul>
    </aside>
  );
}

/** `stowage show Train/r1 --brief --json` */
export function commandOf({ command, args = [], options = {} }: Asked): string {
  const words = args.map(shellWord);
  for (const [name, value] of Object.entries(options))
    for (const one of [value].flat())
      words.push(typeof one === 'string' ? `--${name} ${shellWord(one)}` : `--${name}`);
  return ['stowage', command, ...words, '--json'].join(' ');
}
