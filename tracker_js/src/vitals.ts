import { type Metric, onCLS, onFCP, onINP, onLCP, onTTFB } from 'web-vitals';
import type { PartContext } from './context';
import { guard, type Teardown } from './guard';
import { stopVitals } from './removable-globals';

/** Once per page: the library keeps its state. */
let isStarted = false;

/** Its digits could be taken for a card number and be masked. */
const shorten = (id: string): string => id.replace(/\d{9,}/g, (digits) => Number(digits).toString(36));

/** Returns the element that a value is about: the largest one, the one that was used, the one whose shift was largest. */
function elementOf({ name, entries }: Metric): Element | undefined {
  const last = entries[entries.length - 1] as unknown as { element?: Element; target?: Element } | undefined;
  if (name !== 'CLS') return last?.element ?? last?.target;
  const shifts = entries as unknown as { value: number; sources?: { node?: Node | null }[] }[];
  let worst = shifts[0];
  for (const shift of shifts) if (!worst || shift.value > worst.value) worst = shift;
  const node = worst?.sources?.[0]?.node;
  return node?.nodeType === Node.ELEMENT_NODE ? (node as Element) : undefined;
}

/**
 * Emits LCP, CLS, INP, FCP and TTFB as the `web-vitals` package measures them. CLS and INP grow while a page lives and
 * are emitted each time it is hidden: the last event with an `id` counts.
 */
export function initVitals({ emit, describe }: Pick<PartContext, 'emit' | 'describe'>): Teardown {
  if (isStarted) return () => undefined;
  isStarted = true;
  let active = true;
  const [page] = performance.getEntriesByType('navigation');
  const report = guard((metric: Metric) => {
    if (!active) return;
    const { name, value, rating, id, navigationType } = metric;
    emit('web_vital', {
      ...describe(elementOf(metric) ?? null),
      // In a single-page app, the page that was loaded.
      page_url: page?.name ?? location.href,
      event_data: { name, value: name === 'CLS' ? Math.round(value * 10_000) / 10_000 : Math.round(value), rating, id: shorten(id), navigation: navigationType },
    });
  });
  for (const on of [onTTFB, onFCP, onLCP, onCLS, onINP]) on(report);
  return () => {
    active = false;
    stopVitals();
  };
}
