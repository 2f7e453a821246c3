import type { PartContext } from './context';
import { combineTeardowns, guard, type Teardown } from './guard';
import { createRepeatLimit } from './repeat-limit';

const LEVELS = ['error', 'warn', 'info', 'log', 'debug'] as const;
const MAX_MESSAGE = 1_000;
const MAX_STACK = 4_000;

/** Never the contents of an object: pages write their whole state to the console. */
function textOf(value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    if (value instanceof Error) return `${value.name}: ${value.message}`;
    if ((value as Node).nodeType === Node.ELEMENT_NODE) return `<${(value as Element).localName}>`;
    return Object.prototype.toString.call(value);
  }
  return typeof value === 'function' ? '[function]' : String(value);
}

/** Formats the arguments as a console does: the first one may have placeholders for the others (`%s`), some of them for styles (`%c`). */
function messageOf(args: unknown[]): string {
  const rest = [...args];
  const texts: string[] = [];
  if (typeof rest[0] === 'string') {
    const format = rest.shift() as string;
    texts.push(
      format.replace(/%([sdifoOc%])/g, (all, kind: string) => {
        if (kind === '%') return '%';
        if (rest.length === 0) return all;
        const value = textOf(rest.shift());
        return kind === 'c' ? '' : value;
      }),
    );
  }
  texts.push(...rest.map(textOf));
  return texts.join(' ').slice(0, MAX_MESSAGE);
}

/** Emits the page's console calls: errors, or all of them. The page's own call runs first. */
export function initConsole({ emit, options }: Pick<PartContext, 'emit' | 'options'>): Teardown {
  const wanted = options.console === 'all' ? LEVELS : options.console ? (['error'] as const) : [];
  const isBelowLimit = createRepeatLimit();
  let isReporting = false;

  const report = guard((level: string, args: unknown[]) => {
    // The tracker's own messages, and calls that another script makes while this one is reported.
    if (isReporting || (typeof args[0] === 'string' && args[0].startsWith('tracker:'))) return;
    isReporting = true;
    try {
      const message = messageOf(args);
      const stack: unknown = args.find((value): value is Error => value instanceof Error)?.stack;
      if (isBelowLimit(`${level} ${message}`)) emit('console', { event_data: { level, message, stack: typeof stack === 'string' ? stack.slice(0, MAX_STACK) : undefined } });
    } finally {
      isReporting = false;
    }
  });

  const patch = (level: (typeof LEVELS)[number]): Teardown => {
    const original = Reflect.get(console, level);
    let active = true;
    const patched = function (this: unknown, ...args: unknown[]): void {
      Reflect.apply(original, this, args);
      if (active) report(level, args);
    };
    console[level] = patched;
    return () => {
      active = false;
      // Another script may have patched it afterwards: then this patch stays in the chain and does nothing.
      if (Reflect.get(console, level) === patched) console[level] = original;
    };
  };
  return combineTeardowns(wanted.map(patch));
}
