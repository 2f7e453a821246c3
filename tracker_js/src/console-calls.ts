import type { PartContext } from './context';
import { combineTeardowns, guard, type Teardown } from './guard';
import { createRepeatLimit } from './repeat-limit';

const LEVELS = ['error', 'warn', 'info', 'log', 'debug'] as const;
const MAX_MESSAGE = 1_000;
const MAX_STACK = 4_000;

/** Never what an object holds: a page writes its whole state to the console. */
function textOf(value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    if (value instanceof Error) return `${value.name}: ${value.message}`;
    if ((value as Node).nodeType === Node.ELEMENT_NODE) return `<${(value as Element).localName}>`;
    return Object.prototype.toString.call(value);
  }
  return typeof value === 'function' ? '[function]' : String(value);
}

/** As a console would write it: the first text may have places for the others, some of them for styles. */
function messageOf(said: unknown[]): string {
  const rest = [...said];
  const words: string[] = [];
  if (typeof rest[0] === 'string') {
    const format = rest.shift() as string;
    words.push(
      format.replace(/%([sdifoOc%])/g, (all, kind: string) => {
        if (kind === '%') return '%';
        if (rest.length === 0) return all;
        const value = textOf(rest.shift());
        return kind === 'c' ? '' : value;
      }),
    );
  }
  words.push(...rest.map(textOf));
  return words.join(' ').slice(0, MAX_MESSAGE);
}

/** What the page writes to the console: errors, or all of it. The page's own call comes first. */
export function initConsole({ emit, options }: Pick<PartContext, 'emit' | 'options'>): Teardown {
  const wanted = options.console === 'all' ? LEVELS : options.console ? (['error'] as const) : [];
  const isBelowLimit = createRepeatLimit();
  let isTelling = false;

  const tell = guard((level: string, said: unknown[]) => {
    // Our own words, and those of somebody who watches us telling.
    if (isTelling || (typeof said[0] === 'string' && said[0].startsWith('tracker:'))) return;
    isTelling = true;
    try {
      const message = messageOf(said);
      const stack: unknown = said.find((value): value is Error => value instanceof Error)?.stack;
      if (isBelowLimit(`${level} ${message}`)) emit('console', { event_data: { level, message, stack: typeof stack === 'string' ? stack.slice(0, MAX_STACK) : undefined } });
    } finally {
      isTelling = false;
    }
  });

  const patch = (level: (typeof LEVELS)[number]): Teardown => {
    const original = Reflect.get(console, level);
    let active = true;
    const patched = function (this: unknown, ...said: unknown[]): void {
      Reflect.apply(original, this, said);
      if (active) tell(level, said);
    };
    console[level] = patched;
    return () => {
      active = false;
      // Somebody may have patched it after us; then ours stays in the chain and does nothing.
      if (Reflect.get(console, level) === patched) console[level] = original;
    };
  };
  return combineTeardowns(wanted.map(patch));
}
