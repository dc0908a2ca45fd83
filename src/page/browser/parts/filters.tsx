import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { goTo, type Route, refined, routeOf } from '../route.ts';

interface FilterProps {
  route: Route;
  /** Its name in the address. */
  name: string;
  label: string;
}

/** Typing goes to the address after a pause, so that not every letter is asked for. */
const PAUSE_MS = 250;

/** A field whose text is a part of the address. */
export function SearchBox(
  props: FilterProps & { placeholder?: string; suggestions?: readonly string[] },
): JSX.Element {
  const { route, name, label, placeholder, suggestions = [] } = props;
  const value = route.query[name] ?? '';
  const [text, setText] = useState(value);
  const field = useRef<HTMLInputElement>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  // The address changed by a link or the way back.
  useEffect(() => {
    if (document.activeElement !== field.current) setText(value);
  }, [value]);
  const write = (next: string): void =>
    goTo(refined(routeOf(location.hash), { [name]: next.trim() }), { replace: true });
  return (
    <label class="filter">
      <span>{label}</span>
      <input
        ref={field}
        type="search"
        value={text}
        placeholder={placeholder}
        list={suggestions.length > 0 ? `${name}-names` : undefined}
        spellcheck={false}
        autocomplete="off"
        onInput={({ currentTarget }) => {
          const next = currentTarget.value;
          setText(next);
          clearTimeout(timer.current);
          timer.current = setTimeout(() => write(next), PAUSE_MS);
        }}
      />
      {suggestions.length > 0 && (
        <datalist id={`${name}-names`}>
          {suggestions.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
      )}
    </label>
  );
}

/** A choice that is a part of the address; `names` are the words by what stands there, `''` for none chosen. */
export function Choice({
  route,
  name,
  label,
  names,
}: FilterProps & { names: Readonly<Record<string, string>> }): JSX.Element {
  const value = route.query[name] ?? '';
  const all: Record<string, string> = value in names ? names : { ...names, [value]: value };
  return (
    <label class="filter">
      <span>{label}</span>
      <select
        value={value}
        onChange={({ currentTarget }) =>
          goTo(refined(routeOf(location.hash), { [name]: currentTarget.value }), { replace: true })
        }
      >
        {Object.entries(all).map(([one, text]) => (
          <option key={one} value={one}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}
