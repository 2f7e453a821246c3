import type { PartContext } from './context';
import type { EventFields } from './event';
import { pointerPosition, targetOf } from './event-target';
import { combineTeardowns, guard, listen, type Teardown } from './guard';
import type { OnRequest } from './network';

/** A page that has shown nothing for that long has not answered. */
const WAIT_MS = 2_500;
/** A click during which the page stood still that long opened a dialog (`alert`, `print`), or keeps it busy. */
const BLOCKED_MS = 250;
/** Shadow trees are watched one by one; of a page with more elements than this nobody can say that nothing happened. */
const MAX_WALK = 5_000;

/** Whatever a page, or the browser for it, does in answer. */
const ANSWERS = [
  ...(['submit', 'reset', 'invalid', 'beforetoggle', 'toggle', 'close', 'play', 'pause'] as const),
  ...(['fullscreenchange', 'visibilitychange', 'beforeunload', 'pagehide'] as const),
] as (keyof DocumentEventMap)[];
/** What visitors do by themselves too: an answer only while it may be one. */
const SOON_MS = 500;
const SOON = ['scroll', 'input', 'change', 'copy', 'cut'] as const;

/** The browser answers within these, unseen by scripts. */
const NATIVE =
  'select,option,textarea,video,audio,canvas,iframe,embed,object,label,[contenteditable],input:not([type=button],[type=submit],[type=reset],[type=image])';
const CONTROLS = 'a,button,summary,input,[role],[onclick],[tabindex]';

interface Click {
  target: Element;
  fields: EventFields;
  count: number;
  timer: ReturnType<typeof setTimeout>;
}

/** A click after which nothing happened. Told of the first of several on one element, with how many there were. */
export function initDeadClicks({ emit, describe, onNavigate }: Pick<PartContext, 'emit' | 'describe' | 'onNavigate'>): { teardown: Teardown; onRequest: OnRequest } {
  const clicks = new Map<Element, Click>();
  let watching: { observer: MutationObserver; teardown: Teardown } | undefined;
  /** What was pressed or clicked last, and when. */
  let path: EventTarget[] = [];
  let at = 0;
  /** From the press to the click. What happens to an element itself then is how it looks pressed. */
  let isPressed = false;
  let idle: ReturnType<typeof setTimeout> | undefined;
  let selected = false;

  const rest = (): void => {
    for (const { timer } of clicks.values()) clearTimeout(timer);
    clearTimeout(idle);
    clicks.clear();
    isPressed = false;
    watching?.teardown();
    watching = undefined;
  };
  const restIfSoon = (): void => {
    if (performance.now() - at < SOON_MS) rest();
  };
  const isSelected = (): boolean => getSelection()?.type === 'Range';

  /** The shadow trees below `root`; undefined when there are too many elements to look at. */
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
        if (!isPressed || records.some(({ target }) => !path.includes(target) && !(path[0] as Node).contains(target))) rest();
      }),
    );
    const teardown = combineTeardowns([
      () => {
        observer.disconnect();
      },
      ...ANSWERS.map((type) => listen(window, type, rest)),
      ...SOON.map((type) => listen(window, type, restIfSoon)),
      listen(document, 'focusin', (event) => {
        // That what is clicked gets the focus is no answer.
        const target = targetOf(event);
        if (target && !path.includes(target)) restIfSoon();
      }),
      listen(document, 'selectionchange', () => {
        if (selected || isSelected()) restIfSoon();
      }),
      listen(window, 'blur', ({ target }) => {
        if (target === window) rest();
      }),
    ]);
    return { observer, teardown };
  };
  /** Only while there is a press or a click to judge: a page that nobody clicks pays nothing. */
  const watch = (event: Event): void => {
    path = event.composedPath();
    at = performance.now();
    const hosts = path.filter((node) => (node as Element).shadowRoot) as Element[];
    const outermost = hosts[hosts.length - 1];
    const shadows = outermost ? shadowsOf(outermost) : [];
    if (!shadows) {
      rest();
      return;
    }
    watching ??= start();
    for (const root of [document, ...shadows]) watching.observer.observe(root, { subtree: true, childList: true, attributes: true, characterData: true });
  };

  const isCandidate = (event: MouseEvent, target: Element): boolean => {
    if (!event.isTrusted || event.button !== 0 || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return false;
    if (/^(html|body)$/.test(target.localName) || target.closest(NATIVE)) return false;
    // A closed shadow tree: what happens in it cannot be seen.
    return !target.localName.includes('-') || target.shadowRoot !== null;
  };
  /** A link to somewhere, which the page has left to the browser. It is known when the page has had its say. */
  const isFollowed = (event: MouseEvent, within: EventTarget[]): boolean => {
    const link = within.find((node) => /^(a|area)$/.test((node as Element).localName) && (node as Element).hasAttribute('href')) as Element | undefined;
    return link !== undefined && !event.defaultPrevented && !/^\s*(#|javascript:)/i.test(link.getAttribute('href') ?? '');
  };

  const judge = guard((click: Click) => {
    const { target, fields, count } = click;
    clicks.delete(target);
    const interactive = target.closest(CONTROLS) !== null || getComputedStyle(target).cursor === 'pointer';
    emit('dead_click', { ...describe(target), ...fields, click_count: count, event_data: { interactive } });
    if (clicks.size === 0) rest();
  });

  const onPress = (event: Event): void => {
    watch(event);
    if (!watching) return;
    isPressed = true;
    clearTimeout(idle);
    // A press that never becomes a click.
    idle = setTimeout(() => {
      isPressed = false;
      if (clicks.size === 0) rest();
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
    // A keyboard presses nothing before it clicks; else, no press means that the page has answered to it.
    if (!isCandidate(event, target) || (!wasPressed && event.detail > 0)) {
      if (clicks.size === 0) rest();
      return;
    }
    watch(event);
    if (!watching) return;
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
        if (performance.now() - begun >= BLOCKED_MS) rest();
        else if (isFollowed(event, within)) {
          clearTimeout(click.timer);
          clicks.delete(target);
          if (clicks.size === 0) rest();
        }
      }),
    );
  };

  return {
    // Analytics, which send on every click, do so by requests that outlive the page.
    onRequest(_, keepalive) {
      if (!keepalive) rest();
    },
    teardown: combineTeardowns([rest, onNavigate(rest), listen(document, 'pointerdown', onPress), listen(document, 'click', onClick)]),
  };
}
