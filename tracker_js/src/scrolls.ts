import type { PartContext } from './context';
import { targetOf } from './event-target';
import { combineTeardowns, type Teardown } from './guard';
import type { ListenDeep } from './shadow-trees';
import { throttle, type Timed } from './throttle-debounce';
import { watchUserInput } from './user-input';

const SCROLL_MS = 100;
/** Scrolling boxes that are remembered at a time; visitors rarely scroll more than a few of a page. */
const MAX_BOXES = 20;

/** Emits scrolling of the page and of boxes in it, each at most ten times a second and always at its final position. */
export function initScrolls({ emit, session, selectorOf, beforeLeave }: Pick<PartContext, 'emit' | 'session' | 'selectorOf' | 'beforeLeave'>, listenDeep: ListenDeep): Teardown {
  const reportPage = throttle(() => {
    const page = document.documentElement;
    const seen = (scrollY + innerHeight) / Math.max(page.scrollHeight, 1);
    emit('scroll', {
      scroll_x: Math.round(scrollX),
      scroll_y: Math.round(scrollY),
      event_data: { depth_percent: Math.min(100, Math.round(seen * 100)) },
    });
  }, SCROLL_MS);
  const boxes = new Map<Element, Timed<[]>>();
  const reportBox = (box: Element): void => {
    let report = boxes.get(box);
    if (!report) {
      if (boxes.size >= MAX_BOXES) flushBoxes();
      report = throttle(() => {
        emit('scroll', {
          target_tag: box.localName,
          target_selector: selectorOf(box),
          scroll_x: Math.round(box.scrollLeft),
          scroll_y: Math.round(box.scrollTop),
          event_data: { box: true },
        });
      }, SCROLL_MS);
      boxes.set(box, report);
    }
    report();
  };
  const flushBoxes = (): void => {
    for (const report of boxes.values()) report.flush();
    boxes.clear();
  };
  const userInput = watchUserInput();
  listenDeep('scroll', (event) => {
    // The event alone does not keep a session alive.
    if (userInput.isRecent()) session.touch(true);
    const target = targetOf(event);
    if (target === document) reportPage();
    else if ((target as Node | null)?.nodeType === Node.ELEMENT_NODE) reportBox(target as Element);
  });
  return combineTeardowns([
    userInput.stop,
    reportPage.cancel,
    () => {
      for (const report of boxes.values()) report.cancel();
    },
    beforeLeave(() => {
      reportPage.flush();
      flushBoxes();
    }),
  ]);
}
