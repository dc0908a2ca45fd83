import type { ComponentChildren, JSX } from 'preact';

/** A part that scrolls within itself, so that the page does not sideways; `tall` ones from top to bottom as well. */
export function Scrolls(props: { label: string; tall?: boolean; children: ComponentChildren }): JSX.Element {
  const { label, tall = false, children } = props;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard
    <section class={tall ? 'scrolls tall' : 'scrolls'} tabIndex={0} aria-label={label}>
      {children}
    </section>
  );
}
