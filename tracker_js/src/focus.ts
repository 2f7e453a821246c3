import type { PartContext } from './context';
import { targetOf } from './event-target';
import { combineTeardowns, listen, type Teardown } from './guard';
import { isField } from './mask';

/** Fields and editors only: the focus of a button adds nothing to the click or key that caused it. */
const isTyped = (target: EventTarget | null): target is HTMLElement =>
  (target as Node | null)?.nodeType === Node.ELEMENT_NODE && (isField(target as Element) || (target as HTMLElement).isContentEditable);

/** Emits `focus` and `blur` of fields; `blur` has the time in between. */
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
