import type { PartContext } from './context';
import type { EventFields } from './event';
import { pointerPosition, targetOf } from './event-target';
import { combineTeardowns, guard, listen, type Teardown } from './guard';
import type { OnRequest } from './network';

/** A page that shows no response within this time is taken not to respond. */
const WAIT_MS = 2_500;
/** A click that blocks the page for this long has opened a dialog (`alert`, `print`) or keeps the page busy. */
const BLOCKED_MS = 250;
/** Shadow trees are observed one by one. On a page with more elements than this, clicks are not judged. */
const MAX_WALK = 5_000;

/** Events by which a page, or the browser, responds to a click. */
const RESPONSES = [
  ...(['submit', 'reset', 'invalid', 'beforetoggle', 'toggle', 'close', 'play', 'pause'] as const),
  ...(['fullscreenchange', 'visibilitychange', 'beforeunload', 'pagehide'] as const),
] as (keyof DocumentEventMap)[];
/** Visitors cause these, too: they count as a response only within a short time. */
const RECENT_MS = 500;
const RECENT_RESPONSES = ['scroll', 'input', 'change', 'copy', 'cut'] as const;

/** Elements to which the browser responds itself, invisibly to scripts. */
const NATIVE_CONTROLS =
  'select,option,textarea,video,audio,canvas,iframe,embed,object,label,[contenteditable],input:not([type=button],[type=submit],[type=reset],[type=image])';
const CONTROLS = 'a,button,summary,input,[role],[onclick],[tabindex]';

interface Click {
  target: Element;
  fields: EventFields;
  count: number;
  timer: ReturnType<typeof setTimeout>;
}

/** Emits clicks that had no response: the first of several on one element, with their number. */
export function initDeadClicks({ emit, describe, onNavigate }: Pick<PartContext, 'emit' | 'describe' | 'onNavigate'>): { teardown: Teardown; onRequest: OnRequest } {
  const clicks = new Map<Element, Click>();
  let observing: { observer: MutationObserver; teardown: Teardown } | undefined;
  /** The path of the last press or click, and its time. */
  let path: EventTarget[] = [];
  let at = 0;
  /** True from the press to the click. Changes of the element itself in between are its pressed style. */
  let isPressed = false;
  let pressTimer: ReturnType<typeof setTimeout> | undefined;
  let selected = false;

  const reset = (): void => {
    for (const { timer } of clicks.values()) clearTimeout(timer);
    clearTimeout(pressTimer);
    clicks.clear();
    isPressed = false;
    observing?.teardown();
    observing = undefined;
  };
  const resetIfRecent = (): void => {
    if (performance.now() - at < RECENT_MS) reset();
  };
  const isSelected = (): boolean => getSelection()?.type === 'Range';

  /** Returns the shadow trees below `root`; undefined where there are too many elements. */
  const shadowsOf = (root: Element | ShadowRoot): ShadowRoot[] | undefined => {
    const found: ShadowRoot[] = [];
    const waiting: (Element | ShadowRoot)[] = [root];
    let seen = 0;
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const own = 'shadowRoot' in next ? next.shadowRoot : null;
      if (own) {
        found.push(own);
        waiting.push(own);
      }
      for (const element of next.querySelectorAll('*')) {
        if (++seen > MAX_WALK) return undefined;
        if (element.shadowRoot && element !== next) waiting.push(element);
      }
    }
    return found;
  };

  const start = (): { observer: MutationObserver; teardown: Teardown } => {
    selected = isSelected();
    const observer = new MutationObserver(
      guard((records: MutationRecord[]) => {
        if (!isPressed || records.some(({ target }) => !path.includes(target) && !(path[0] as Node).contains(target))) reset();
      }),
    );
    const teardown = combineTeardowns([
      () => {
        observer.disconnect();
      },
      ...RESPONSES.map((type) => listen(window, type, reset)),
      ...RECENT_RESPONSES.map((type) => listen(window, type, resetIfRecent)),
      listen(document, 'focusin', (event) => {
        // The focus of the clicked element is no response.
        const target = targetOf(event);
        if (target && !path.includes(target)) resetIfRecent();
      }),
      listen(document, 'selectionchange', () => {
        if (selected || isSelected()) resetIfRecent();
      }),
      listen(window, 'blur', ({ target }) => {
        if (target === window) reset();
      }),
    ]);
    return { observer, teardown };
  };
  /** Observes only while there is a press or a click to judge, so that a page without clicks pays nothing. */
  const observe = (event: Event): void => {
    path = event.composedPath();
    at = performance.now();
    const hosts = path.filter((node) => (node as Element).shadowRoot) as Element[];
    const outermost = hosts[hosts.length - 1];
    const shadows = outermost ? shadowsOf(outermost) : [];
    if (!shadows) {
      reset();
      return;
    }
    observing ??= start();
    for (const root of [document, ...shadows]) observing.observer.observe(root, { subtree: true, childList: true, attributes: true, characterData: true });
  };

  const isCandidate = (event: MouseEvent, target: Element): boolean => {
    if (!event.isTrusted || event.button !== 0 || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return false;
    if (/^(html|body)$/.test(target.localName) || target.closest(NATIVE_CONTROLS)) return false;
    // Changes within a closed shadow tree are invisible.
    return !target.localName.includes('-') || target.shadowRoot !== null;
  };
  /** True for a link that the page leaves to the browser, which is known after the page's own handlers have run. */
  const isFollowed = (event: MouseEvent, within: EventTarget[]): boolean => {
    const link = within.find((node) => /^(a|area)$/.test((node as Element).localName) && (node as Element).hasAttribute('href')) as Element | undefined;
    return link !== undefined && !event.defaultPrevented && !/^\s*(#|javascript:)/i.test(link.getAttribute('href') ?? '');
  };

  const judge = guard((click: Click) => {
    const { target, fields, count } = click;
    clicks.delete(target);
    const interactive = target.closest(CONTROLS) !== null || getComputedStyle(target).cursor === 'pointer';
    emit('dead_click', { ...describe(target), ...fields, click_count: count, event_data: { interactive } });
    if (clicks.size === 0) reset();
  });

  const onPress = (event: Event): void => {
    observe(event);
    if (!observing) return;
    isPressed = true;
    clearTimeout(pressTimer);
    // The press does not become a click.
    pressTimer = setTimeout(() => {
      isPressed = false;
      if (clicks.size === 0) reset();
    }, WAIT_MS);
  };
  const onClick = (event: MouseEvent): void => {
    const target = targetOf(event) as Element;
    const within = event.composedPath();
    const wasPressed = isPressed;
    isPressed = false;
    const known = clicks.get(target);
    if (known) {
      known.count++;
      return;
    }
    // A click by keyboard has no press. Otherwise, a missing press means that the page has responded to it.
    if (!isCandidate(event, target) || (!wasPressed && event.detail > 0)) {
      if (clicks.size === 0) reset();
      return;
    }
    observe(event);
    if (!observing) return;
    const begun = at;
    const click: Click = {
      target,
      count: 1,
      fields: { timestamp: new Date().toISOString(), page_url: location.href, ...pointerPosition(event), mouse_button: 0 },
      timer: setTimeout(() => {
        judge(click);
      }, WAIT_MS),
    };
    clicks.set(target, click);
    setTimeout(
      guard(() => {
        if (clicks.get(target) !== click) return;
        if (performance.now() - begun >= BLOCKED_MS) reset();
        else if (isFollowed(event, within)) {
          clearTimeout(click.timer);
          clicks.delete(target);
          if (clicks.size === 0) reset();
        }
      }),
    );
  };

  return {
    // Requests that outlive the page (keepalive) are mostly of analytics, which send on every click.
    onRequest(_, keepalive) {
      if (!keepalive) reset();
    },
    teardown: combineTeardowns([reset, onNavigate(reset), listen(document, 'pointerdown', onPress), listen(document, 'click', onClick)]),
  };
}
