import type { ComponentChildren, JSX } from 'preact';

/** A list of `Fact`s. */
export function Facts({ children }: { children: ComponentChildren }): JSX.Element {
  return <dl class="facts">{children}</dl>;
}

/** A name with what is known of it; nothing where that is nothing. */
export function Fact({ name, children }: { name: string; children?: ComponentChildren }): JSX.Element | null {
  if (children === undefined || children === null || children === false || children === '') return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
