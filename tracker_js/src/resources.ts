import type { PartContext, Teardown } from './types';
import { guard, listen } from './guard';
import { createLimit } from './limit';

const MAX_URL = 1_000;
/** Of what the page itself asked for; the rest are requests of scripts, which network.ts tells. */
const LOADED_BY = /^(img|script|link|css|input|video|audio)$/;

/** Images, scripts and styles that did not load; also those that failed before this was loaded, as far as the browser still knows. */
export function initResources({ emit, describe, isOwn }: Pick<PartContext, 'emit' | 'describe' | 'isOwn'>): Teardown {
  const isNews = createLimit();
  const tell = (address: string, target: EventTarget | null): void => {
    const url = (address.startsWith('data:') ? 'data:' : address.replace(/[?#].*$/s, '')).slice(0, MAX_URL);
    if (isOwn(address) || !isNews(url)) return;
    emit('error', { ...describe(target), event_data: { kind: 'resource', message: `did not load: ${url}`, url } });
  };

  guard(() => {
    for (const { name, initiatorType, responseStatus } of performance.getEntriesByType('resource') as (PerformanceResourceTiming & { responseStatus?: number })[]) {
      if (LOADED_BY.test(initiatorType) && (responseStatus ?? 0) >= 400) tell(name, null);
    }
  })();
  // In the capture phase, for these do not bubble.
  return listen(window, 'error', ({ target }: ErrorEvent) => {
    if ((target as Node | null)?.nodeType !== Node.ELEMENT_NODE) return;
    const element = target as HTMLImageElement & HTMLLinkElement;
    // As the browser resolved it, like those from before.
    const address = element.currentSrc || element.src || element.href;
    tell(typeof address === 'string' ? address : '', element);
  });
}
