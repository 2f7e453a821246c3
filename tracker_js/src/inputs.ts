import type { PartContext } from './context';
import type { EventFields } from './event';
import { targetOf } from './event-target';
import { combineTeardowns, guard, listen, type Teardown } from './guard';
import { isField, MASK, mayBecomeSecret } from './mask';
import type { ListenDeep } from './shadow-trees';

/** A field is told after half a second of rest, or when it is left: never letter by letter. */
const REST_MS = 500;
const MAX_VALUE = 1_000;

export function initInputs({ emit, secrets, describe, beforeLeave }: Pick<PartContext, 'emit' | 'secrets' | 'describe' | 'beforeLeave'>, listenDeep: ListenDeep): Teardown {
  const waiting = new Map<Element, { timer: ReturnType<typeof setTimeout>; at: EventFields }>();
  /** Told without a value, because it was not finished. Not under a mask: the server keeps masked what once was. */
  const withheld = new WeakSet<Element>();

  const content = (field: Element, finished: boolean): EventFields => {
    withheld.delete(field);
    if (secrets.isSecret(field)) return { input_value: MASK, input_masked: true };
    if (!isField(field)) return {};
    // A file's name is its owner's business.
    if (field.type === 'file') return { input_masked: false, event_data: { files: (field as HTMLInputElement).files?.length ?? 0 } };
    if (field.type === 'checkbox') return { input_value: String((field as HTMLInputElement).checked), input_masked: false };
    const value = field.value;
    if (!finished && mayBecomeSecret(value)) {
      withheld.add(field);
      return {};
    }
    return { input_value: value.slice(0, MAX_VALUE), input_masked: false };
  };

  const tell = guard((field: Element, finished: boolean) => {
    const pending = waiting.get(field);
    if (pending) clearTimeout(pending.timer);
    waiting.delete(field);
    const told = content(field, finished);
    // The server takes a value that may become a secret only from an event that says it is final.
    const isFinal = finished && told.input_value !== undefined && mayBecomeSecret(told.input_value);
    emit(isFinal ? 'change' : 'input', { ...(pending?.at ?? describe(field)), ...told });
  });

  const onInput = (event: Event): void => {
    const field = targetOf(event) as Element;
    if (!isField(field) && !secrets.isSecret(field)) return;
    // Asked at each keystroke, so that a field which is secret only now is remembered.
    secrets.isSecret(field);
    const pending = waiting.get(field);
    clearTimeout(pending?.timer);
    const timer = setTimeout(() => {
      tell(field, false);
    }, REST_MS);
    // Described at its first letter: when it rests the page may be another one.
    waiting.set(field, { timer, at: pending?.at ?? { ...describe(field), page_url: location.href } });
  };

  listenDeep('change', (event) => {
    const field = targetOf(event) as Element;
    if (waiting.has(field) || withheld.has(field)) tell(field, true);
  });
  return combineTeardowns([
    () => {
      for (const { timer } of waiting.values()) clearTimeout(timer);
      waiting.clear();
    },
    beforeLeave(() => {
      for (const field of [...waiting.keys()]) tell(field, false);
    }),
    listen(document, 'input', onInput),
  ]);
}
