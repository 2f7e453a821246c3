import type { PartContext } from './context';
import type { EventFields } from './event';
import { targetOf } from './event-target';
import { combineTeardowns, listen, type Teardown } from './guard';
import { isField } from './mask';
import { debounce } from './throttle-debounce';

/** Keys that are reported by name. A list, not "longer than one character": any other key may be a character. */
const NAMED_KEYS =
  /^(Enter|Tab|Escape|Backspace|Delete|Insert|Home|End|PageUp|PageDown|Arrow(Up|Down|Left|Right)|F\d{1,2}|ContextMenu|PrintScreen|Pause|(Media|Audio|Browser|Launch)[A-Z]\w*)$/;
const MODIFIERS = /^(Shift|Control|Alt|AltGraph|Meta|OS|Fn|FnLock|Hyper|Super|CapsLock|NumLock|ScrollLock|Symbol|SymbolLock)$/;
const PAUSE_MS = 1_000;

/**
 * Emits named keys one by one, and a run of printing keys as one `char`. A run ends with a named key, another element
 * or a second without keys. Its length is sent of fields whose values are sent.
 */
export function initKeys({ emit, secrets, describe, beforeLeave }: Pick<PartContext, 'emit' | 'secrets' | 'describe' | 'beforeLeave'>): Teardown {
  let run: { target: EventTarget | null; count: number; at: EventFields } | undefined;
  const endRun = (): void => {
    endRunAfterPause.cancel();
    if (!run) return;
    const { target, count, at } = run;
    run = undefined;
    const isOpen = (target as Node | null)?.nodeType === Node.ELEMENT_NODE && isField(target as Element) && !secrets.isMasked(target as Element);
    emit('keydown', { ...at, key_pressed: 'char', ...(isOpen && { input_masked: false, event_data: { count } }) });
  };
  const endRunAfterPause = debounce(endRun, PAUSE_MS);

  const onKey = (event: KeyboardEvent): void => {
    const { key, repeat, ctrlKey, altKey, metaKey, shiftKey } = event;
    const target = targetOf(event);
    // Autofill fires a keydown without a key.
    if (!key || MODIFIERS.test(key)) return;
    if (NAMED_KEYS.test(key)) {
      endRun();
      if (repeat) return;
      const held = [ctrlKey && 'ctrl', altKey && 'alt', metaKey && 'meta', shiftKey && 'shift'].filter(Boolean);
      emit('keydown', { ...describe(target), key_pressed: key, event_data: held.length ? { held } : undefined });
      return;
    }
    if (run?.target !== target) endRun();
    // Described now: at the end of the run, the page may have changed.
    run ??= { target, count: 0, at: { ...describe(target), timestamp: new Date().toISOString(), page_url: location.href } };
    run.count++;
    endRunAfterPause();
  };
  return combineTeardowns([endRunAfterPause.cancel, beforeLeave(endRun), listen(document, 'keydown', onKey)]);
}
