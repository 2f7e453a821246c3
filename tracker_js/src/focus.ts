import type { PartContext } from './context';
import { targetOf } from './event-target';
import { combineTeardowns, listen, type Teardown } from './guard';
import { isField } from './mask';

/** Of fields and editors only: that a button has the focus says no more than the click or the key that brought it there. */
const isTyped = (target: EventTarget | null): target is HTMLElement =>
  (target as Node | null)?.nodeType === Node.ELEMENT_NODE && (isField(target as Element) || (target as HTMLElement).isContentEditable);

/** A field is entered and left; `blur` tells for how long it was the visitor's. */
export function initFocus({ emit, describe }: Pick<PartContext, 'emit' | 'describe'>): Teardown {
  let entered: { target: EventTarget; at: number } | undefined;
  return combineTeardowns([
    listen(document, 'focusin', (event) => {
      const target = targetOf(event);
      if (!isTyped(target)) return;
      entered = { target, at: performance.now() };
      emit('focus', describe(target));
    }),
    listen(document, 'focusout', (event) => {
      const target = targetOf(event);
      if (!isTyped(target)) return;
      const ms = entered?.target === target ? Math.round(performance.now() - entered.at) : undefined;
      entered = undefined;
      emit('blur', { ...describe(target), event_data: ms === undefined ? undefined : { duration_ms: ms } });
    }),
  ]);
}
