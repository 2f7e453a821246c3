import type { Options } from './api.js';

/** Options with their defaults filled in. */
export interface ResolvedOptions extends Options {
  project: string;
  /** Without a trailing slash. */
  endpoint: string;
  debug: boolean;
  screenshots: boolean;
  screenshotEngine: 'modern-screenshot' | 'html2canvas';
  recordSample: number;
  recordMinSeconds: number;
  recordErrorsOnly: boolean;
  recordCanvas: boolean;
  recordCrossOriginIframes: boolean;
  inlineImages: boolean;
  maskText: string;
  block: string;
  console: 'error' | 'all' | false;
  network: boolean;
  vitals: boolean;
}

/** All options with their defaults; the kind of a default is how its attribute is read. */
const DEFAULTS: ResolvedOptions = {
  project: '',
  endpoint: '',
  auto: true,
  debug: false,
  consent: undefined,
  respectDnt: undefined,
  screenshots: true,
  screenshotEngine: 'modern-screenshot',
  record: undefined,
  recordSample: 1,
  recordMinSeconds: 0,
  recordErrorsOnly: false,
  recordCanvas: false,
  recordCrossOriginIframes: false,
  inlineImages: true,
  maskText: '',
  block: '',
  console: 'error',
  network: true,
  vitals: true,
};

/** An option as an attribute says it: `data-record` alone, or `="true"`, is yes. */
function read(value: unknown, like: unknown): unknown {
  if (typeof value !== 'string' || (typeof like === 'string' && value !== 'false')) return value;
  if (typeof like === 'number') return Number(value);
  if (value === 'false') return false;
  return value === '' || value === 'true' ? true : value;
}

/** With defaults filled in. What is unknown is told, for it is mostly a slip of the pen. */
export function resolveOptions(given: Options): ResolvedOptions {
  const settings: Record<string, unknown> = { ...DEFAULTS };
  const unknown: string[] = [];
  for (const [name, value] of Object.entries(given)) {
    if (!(name in DEFAULTS)) unknown.push(name);
    else {
      const known = read(value, settings[name]);
      if (known !== undefined && !Number.isNaN(known)) settings[name] = known;
    }
  }
  if (unknown.length > 0) console.warn(`tracker: unknown options: ${unknown.join(', ')}`);
  return settings as unknown as ResolvedOptions;
}
