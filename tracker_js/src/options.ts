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
  pageViews: 'path' | 'url';
  vitals: boolean;
}

/** All options with their defaults. The type of a default decides how its attribute is read. */
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
  pageViews: 'path',
  vitals: true,
};

/** Reads an option from an attribute: `data-record` alone, or `="true"`, is true. */
function readValue(value: unknown, defaultValue: unknown): unknown {
  if (typeof value !== 'string' || (typeof defaultValue === 'string' && value !== 'false')) return value;
  if (typeof defaultValue === 'number') return Number(value);
  if (value === 'false') return false;
  return value === '' || value === 'true' ? true : value;
}

/** Returns the options with defaults filled in. Unknown names are mostly misspelled, so they are written to the console. */
export function resolveOptions(given: Options): ResolvedOptions {
  const settings: Record<string, unknown> = { ...DEFAULTS };
  const unknown: string[] = [];
  for (const [name, value] of Object.entries(given)) {
    if (!(name in DEFAULTS)) unknown.push(name);
    else {
      const parsed = readValue(value, settings[name]);
      if (parsed !== undefined && !Number.isNaN(parsed)) settings[name] = parsed;
    }
  }
  if (unknown.length > 0) console.warn(`tracker: unknown options: ${unknown.join(', ')}`);
  return settings as unknown as ResolvedOptions;
}
