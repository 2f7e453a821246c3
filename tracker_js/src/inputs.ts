import type { PartContext } from './context';
import type { EventFields } from './event';
import { targetOf } from './event-target';
import { combineTeardowns, guard, listen, type Teardown } from './guard';
import { isField, MASK, mayBecomeSecret } from './mask';
import type { ListenDeep } from './shadow-trees';

/** A field is reported half a second after the last letter, or when it is left: never letter by letter. */
const PAUSE_MS = 500;
const MAX_VALUE = 1_000;

export function initInputs({ emit, secrets, describe, beforeLeave }: Pick<PartContext, 'emit' | 'secrets' | 'describe' | 'beforeLeave'>, listenDeep: ListenDeep): Teardown {
  const waiting = new Map<Element, { timer: ReturnType<typeof setTimeout>; at: EventFields }>();
  /** Fields reported without a value because it was unfinished. They are not masked: the server keeps masking a field once masked. */
  const reportedUnfinished = new WeakSet<Element>();

  const content = (field: Element, finished: boolean): EventFields => {
    reportedUnfinished.delete(field);
    if (secrets.isMasked(field)) return { input_value: MASK, input_masked: true };
    if (!isField(field)) return {};
    // The names of files are private.
    if (field.type === 'file') return { input_masked: false, event_data: { files: (field as HTMLInputElement).files?.length ?? 0 } };
    if (field.type === 'checkbox') return { input_value: String((field as HTMLInputElement).checked), input_masked: false };
    const value = field.value;
    if (!finished && mayBecomeSecret(value)) {
      reportedUnfinished.add(field);
      return {};
    }
    return { input_value: value.slice(0, MAX_VALUE), input_masked: false };
  };

  const report = guard((field: Element, finished: boolean) => {
    const pending = waiting.get(field);
    if (pending) clearTimeout(pending.timer);
    waiting.delete(field);
    const fields = content(field, finished);
    // The server stores a value that may become a secret only from a `change` event.
    const isFinal = finished && fields.input_value !== undefined && mayBecomeSecret(fields.input_value);
    emit(isFinal ? 'change' : 'input', { ...(pending?.at ?? describe(field)), ...fields });
  });

  const onInput = (event: Event): void => {
    const field = targetOf(event) as Element;
    if (!isField(field) && !secrets.isSecret(field)) return;
    // Checked at each keystroke, so that a field which is secret only for a moment is remembered.
    secrets.isSecret(field);
    const pending = waiting.get(field);
    clearTimeout(pending?.timer);
    const timer = setTimeout(() => {
      report(field, false);
    }, PAUSE_MS);
    // Described at its first letter: by the time it is reported, the page may have changed.
    waiting.set(field, { timer, at: pending?.at ?? { ...describe(field), page_url: location.href } });
  };

  listenDeep('change', (event) => {
    const field = targetOf(event) as Element;
    if (waiting.has(field) || reportedUnfinished.has(field)) report(field, true);
  });
  return combineTeardowns([
    () => {
      for (const { timer } of waiting.values()) clearTimeout(timer);
      waiting.clear();
    },
    beforeLeave(() => {
      for (const field of [...waiting.keys()]) report(field, false);
    }),
    listen(document, 'input', onInput),
  ]);
}
