import type { PartContext } from './context';
import { guard, listen, type Teardown } from './guard';
import { isPrivate } from './mask';
import { createRepeatLimit } from './repeat-limit';

const MAX_URL = 1_000;
/** Of what the page itself asked for; the rest are requests of scripts, which network.ts tells. */
const LOADED_BY = /^(img|script|link|css|input|video|audio)$/;

/** As the browser resolved it. */
function addressOf(element: Element): string {
  const { currentSrc, src, href } = element as HTMLImageElement & HTMLLinkElement;
  const address: unknown = currentSrc || src || href;
  return typeof address === 'string' ? address : '';
}

/** Images, scripts and styles that did not load; also those that failed before this was loaded, as far as the browser still knows. */
export function initResourceErrors({ emit, describe, isOwn }: Pick<PartContext, 'emit' | 'describe' | 'isOwn'>): Teardown {
  const isBelowLimit = createRepeatLimit();
  const tell = (address: string, element: Element | undefined): void => {
    // Where a private picture lies is a part of what it is.
    const url = element && isPrivate(element) ? undefined : (address.startsWith('data:') ? 'data:' : address.replace(/[?#].*$/s, '')).slice(0, MAX_URL);
    if (isOwn(address) || !isBelowLimit(url ?? '')) return;
    emit('error', { ...describe(element ?? null), event_data: { kind: 'resource', message: `did not load${url ? `: ${url}` : ''}`, url } });
  };

  guard(() => {
    const all = performance.getEntriesByType('resource') as (PerformanceResourceTiming & { responseStatus?: number })[];
    const failed = all.filter(({ initiatorType, responseStatus }) => LOADED_BY.test(initiatorType) && (responseStatus ?? 0) >= 400);
    if (failed.length === 0) return;
    const elements = [...document.querySelectorAll('img,script,link,input,video,audio')];
    for (const { name } of failed) tell(name, elements.find((element) => addressOf(element) === name));
  })();
  // In the capture phase, for these do not bubble.
  return listen(window, 'error', ({ target }: ErrorEvent) => {
    if ((target as Node | null)?.nodeType !== Node.ELEMENT_NODE) return;
    tell(addressOf(target as Element), target as Element);
  });
}
