import type { Context, Teardown } from './types';
import { all, listen } from './guard';

const MAX_MESSAGE = 1_000;
const MAX_STACK = 4_000;
/** An error in a loop or an animation frame says nothing new after the fifth time, and a page of a hundred errors is known to be broken. */
const MAX_SAME = 5;
const MAX_ALL = 100;

/** Anything may be thrown. */
function reasonOf(reason: unknown): { name?: string; message: string; stack?: string } {
  const { name, message, stack } = (typeof reason === 'object' && reason !== null && 'message' in reason ? reason : { message: reason }) as Partial<Error>;
  return {
    message: String(message).slice(0, MAX_MESSAGE),
    name: typeof name === 'string' ? name.slice(0, 100) : undefined,
    stack: typeof stack === 'string' ? stack.slice(0, MAX_STACK) : undefined,
  };
}

/** Uncaught exceptions, and rejections that nobody handled. */
export function initErrors({ emit }: Pick<Context, 'emit'>): Teardown {
  const counts = new Map<string, number>();
  let sum = 0;
  const tell = (fingerprint: string, data: { kind: string; message: string }): void => {
    const count = (counts.get(fingerprint) ?? 0) + 1;
    counts.set(fingerprint, count);
    if (count <= MAX_SAME && ++sum <= MAX_ALL) emit('error', { event_data: data });
  };

  return all([
    listen(window, 'error', ({ target, error, message, filename, lineno, colno }: ErrorEvent) => {
      // A resource that did not load is told elsewhere.
      if ((target as Node | null)?.nodeType) return;
      // A script of another origin tells only "Script error.".
      const reason = reasonOf(error ?? message);
      tell(`${reason.message} ${filename}:${lineno}`, { kind: 'error', ...reason, filename, lineno, colno } as { kind: string; message: string });
    }),
    listen(window, 'unhandledrejection', (event: PromiseRejectionEvent) => {
      const reason = reasonOf(event.reason);
      tell(reason.message, { kind: 'unhandledrejection', ...reason });
    }),
  ]);
}
