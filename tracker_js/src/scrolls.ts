import type { Context, Teardown } from './types';
import { all, listen } from './guard';
import { selectorOf } from './selector';
import { throttle } from './timing';

const SCROLL_MS = 100;

/** The page's scrolling, and that of boxes inside it, each at most ten a second and always where it came to rest. */
export function initScrolls({ emit, beforeLeave }: Context): Teardown {
  const tellPage = throttle(() => {
    const page = document.documentElement;
    const seen = (scrollY + innerHeight) / Math.max(page.scrollHeight, 1);
    emit('scroll', {
      scroll_x: Math.round(scrollX),
      scroll_y: Math.round(scrollY),
      event_data: { depth_percent: Math.min(100, Math.round(seen * 100)) },
    });
  }, SCROLL_MS);
  const tellBox = throttle((box: Element) => {
    emit('scroll', {
      target_tag: box.localName,
      target_selector: selectorOf(box),
      scroll_x: Math.round(box.scrollLeft),
      scroll_y: Math.round(box.scrollTop),
      event_data: { box: true },
    });
  }, SCROLL_MS);
  return all([
    tellPage.cancel,
    tellBox.cancel,
    beforeLeave(() => {
      tellPage.flush();
      tellBox.flush();
    }),
    listen(document, 'scroll', ({ target }) => {
      if (target === document) tellPage();
      else if (target) tellBox(target as Element);
    }),
  ]);
}
