import type { PartContext } from './context';
import { guard, listen, type Teardown } from './guard';
import { isPrivate } from './mask';
import { createRepeatLimit } from './repeat-limit';

const MAX_URL = 1_000;
/** Resources that the page loads by itself. network.ts reports requests of scripts. */
const LOADED_BY = /^(img|script|link|css|input|video|audio)$/;

/** The address as the browser resolved it. */
function addressOf(element: Element): string {
  const { currentSrc, src, href } = element as HTMLImageElement & HTMLLinkElement;
  const address: unknown = currentSrc || src || href;
  return typeof address === 'string' ? address : '';
}

/**
 * Emits images, scripts and styles that failed to load, also those that failed before this part was loaded, as far as
 * the browser remembers them.
 */
export function initResourceErrors({ emit, describe, isOwn }: Pick<PartContext, 'emit' | 'describe' | 'isOwn'>): Teardown {
  const isBelowLimit = createRepeatLimit();
  const report = (address: string, element: Element | undefined): void => {
    // The address of a private image is part of its content.
    const url = element && isPrivate(element) ? undefined : (address.startsWith('data:') ? 'data:' : address.replace(/[?#].*$/s, '')).slice(0, MAX_URL);
    if (isOwn(address) || !isBelowLimit(url ?? '')) return;
    emit('error', { ...describe(element ?? null), event_data: { kind: 'resource', message: `did not load${url ? `: ${url}` : ''}`, url } });
  };

  guard(() => {
    const all = performance.getEntriesByType('resource') as (PerformanceResourceTiming & { responseStatus?: number })[];
    const failed = all.filter(({ initiatorType, responseStatus }) => LOADED_BY.test(initiatorType) && (responseStatus ?? 0) >= 400);
    if (failed.length === 0) return;
    const elements = [...document.querySelectorAll('img,script,link,input,video,audio')];
    for (const { name } of failed) report(name, elements.find((element) => addressOf(element) === name));
  })();
  // In the capture phase, since these events do not bubble.
  return listen(window, 'error', ({ target }: ErrorEvent) => {
    if ((target as Node | null)?.nodeType !== Node.ELEMENT_NODE) return;
    report(addressOf(target as Element), target as Element);
  });
}
