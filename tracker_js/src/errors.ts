import type { Context, Teardown } from './types';
import { describe } from './describe';
import { all, listen } from './guard';
import { scrubText } from './mask';

const MAX_MESSAGE = 1_000;
const MAX_STACK = 4_000;
/** An error in a loop or an animation frame says nothing new after the fifth time, and a page of a hundred errors is known to be broken. */
const MAX_SAME = 5;
const MAX_ALL = 100;

const text = (value: unknown, length: number): string => scrubText(String(value).slice(0, length));

/** Anything may be thrown. */
function reasonOf(reason: unknown): { name?: string; message: string; stack?: string } {
  if (typeof reason === 'object' && reason !== null && 'message' in reason) {
    const { name, message, stack } = reason as { name?: unknown; message: unknown; stack?: unknown };
    return {
      message: text(message, MAX_MESSAGE),
      name: typeof name === 'string' ? name.slice(0, 100) : undefined,
      stack: typeof stack === 'string' ? text(stack, MAX_STACK) : undefined,
    };
  }
  return { message: text(reason, MAX_MESSAGE) };
}

/** Uncaught exceptions, rejections that nobody handled, and images, scripts and styles that did not load. */
export function initErrors({ emit, secrets }: Context): Teardown {
  const counts = new Map<string, number>();
  let sum = 0;
  const isNews = (fingerprint: string): boolean => {
    const count = (counts.get(fingerprint) ?? 0) + 1;
    counts.set(fingerprint, count);
    return count <= MAX_SAME && ++sum <= MAX_ALL;
  };

  return all([
    // In the capture phase, for the errors of resources do not bubble.
    listen(window, 'error', (event: ErrorEvent) => {
      const element = event.target as Element | null;
      if (element?.nodeType === Node.ELEMENT_NODE) {
        const url = (element.getAttribute('src') ?? element.getAttribute('href') ?? '').replace(/[?#].*$/s, '').slice(0, MAX_MESSAGE);
        if (isNews(`resource ${url}`)) emit('error', { ...describe(element, secrets), event_data: { kind: 'resource', message: `did not load: ${url}`, url } });
        return;
      }
      // A script of another origin tells only "Script error.".
      const reason = reasonOf(event.error ?? event.message);
      const { filename, lineno, colno } = event;
      if (isNews(`error ${reason.message} ${filename}:${lineno}`)) emit('error', { event_data: { kind: 'error', ...reason, filename, lineno, colno } });
    }),
    listen(window, 'unhandledrejection', (event: PromiseRejectionEvent) => {
      const reason = reasonOf(event.reason);
      if (isNews(`rejection ${reason.message}`)) emit('error', { event_data: { kind: 'unhandledrejection', ...reason } });
    }),
  ]);
}
