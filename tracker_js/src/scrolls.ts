import type { PartContext } from './context';
import { targetOf } from './event-target';
import { combineTeardowns, type Teardown } from './guard';
import type { ListenDeep } from './shadow-trees';
import { throttle, type Timed } from './throttle-debounce';
import { watchUserInput } from './user-input';

const SCROLL_MS = 100;
/** Boxes that are remembered at a time; a page rarely has more than a few that somebody scrolls. */
const MAX_BOXES = 20;

/** The page's scrolling, and that of boxes inside it, each at most ten a second and always where it came to rest. */
export function initScrolls({ emit, session, selectorOf, beforeLeave }: Pick<PartContext, 'emit' | 'session' | 'selectorOf' | 'beforeLeave'>, listenDeep: ListenDeep): Teardown {
  const tellPage = throttle(() => {
    const page = document.documentElement;
    const seen = (scrollY + innerHeight) / Math.max(page.scrollHeight, 1);
    emit('scroll', {
      scroll_x: Math.round(scrollX),
      scroll_y: Math.round(scrollY),
      event_data: { depth_percent: Math.min(100, Math.round(seen * 100)) },
    });
  }, SCROLL_MS);
  const boxes = new Map<Element, Timed<[]>>();
  const tellBox = (box: Element): void => {
    let tell = boxes.get(box);
    if (!tell) {
      if (boxes.size >= MAX_BOXES) flushBoxes();
      tell = throttle(() => {
        emit('scroll', {
          target_tag: box.localName,
          target_selector: selectorOf(box),
          scroll_x: Math.round(box.scrollLeft),
          scroll_y: Math.round(box.scrollTop),
          event_data: { box: true },
        });
      }, SCROLL_MS);
      boxes.set(box, tell);
    }
    tell();
  };
  const flushBoxes = (): void => {
    for (const tell of boxes.values()) tell.flush();
    boxes.clear();
  };
  const userInput = watchUserInput();
  listenDeep('scroll', (event) => {
    // The event alone does not keep a visit alive.
    if (userInput.isRecent()) session.touch(true);
    const target = targetOf(event);
    if (target === document) tellPage();
    else if ((target as Node | null)?.nodeType === Node.ELEMENT_NODE) tellBox(target as Element);
  });
  return combineTeardowns([
    userInput.stop,
    tellPage.cancel,
    () => {
      for (const tell of boxes.values()) tell.cancel();
    },
    beforeLeave(() => {
      tellPage.flush();
      flushBoxes();
    }),
  ]);
}
