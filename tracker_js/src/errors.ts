import type { Context } from './context';
import { combineTeardowns, listen, type Teardown } from './guard';
import { createRepeatLimit } from './repeat-limit';

const MAX_MESSAGE = 1_000;
const MAX_STACK = 4_000;

/** Scripts can throw anything, not only errors. */
function reasonOf(reason: unknown): { name?: string; message: string; stack?: string } {
  const { name, message, stack } = (typeof reason === 'object' && reason !== null && 'message' in reason ? reason : { message: reason }) as Partial<Error>;
  return {
    message: String(message).slice(0, MAX_MESSAGE),
    name: typeof name === 'string' ? name.slice(0, 100) : undefined,
    stack: typeof stack === 'string' ? stack.slice(0, MAX_STACK) : undefined,
  };
}

/** Emits uncaught exceptions and unhandled rejections. */
export function initErrors({ emit }: Pick<Context, 'emit'>): Teardown {
  const isBelowLimit = createRepeatLimit();
  const report = (fingerprint: string, data: { kind: string; message: string }): void => {
    if (isBelowLimit(fingerprint)) emit('error', { event_data: data });
  };

  return combineTeardowns([
    listen(window, 'error', ({ target, error, message, filename, lineno, colno }: ErrorEvent) => {
      // `resource-errors.ts` reports resources that fail to load.
      if ((target as Node | null)?.nodeType) return;
      // An error of a script from another origin says only "Script error.".
      const reason = reasonOf(error ?? message);
      report(`${reason.message} ${filename}:${lineno}`, { kind: 'error', ...reason, filename, lineno, colno } as { kind: string; message: string });
    }),
    listen(window, 'unhandledrejection', (event: PromiseRejectionEvent) => {
      const reason = reasonOf(event.reason);
      report(reason.message, { kind: 'unhandledrejection', ...reason });
    }),
  ]);
}
