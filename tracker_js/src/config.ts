import type { Json } from './json';

/** A project's masking rules, beside the built-in ones (`GET /api/v1/config`). */
export interface Masking {
  /** `all`: typed values are sent only of fields that the page or the project unmasks. `secrets`: of all but secret fields. */
  inputs: 'all' | 'secrets';
  /** Words in a field's name, id or class that make it secret. */
  fields: string[];
  /** Names of query parameters whose values are masked. */
  parameters: string[];
  /** Names or ids of fields, and names of parameters, that are sent although they look secret. */
  allow: string[];
}

/** How the project wants its pages tracked (`GET /api/v1/config`). */
export interface Config {
  project_id: number;
  /** The share of sessions that is tracked, 0 to 1. */
  sampling_rate: number;
  /** Whether pages are recorded (rrweb) by default. */
  record: boolean;
  masking: Masking;
  honour_gpc: boolean;
  honour_dnt: boolean;
}

/** Used while the server cannot be asked. The server applies the project's rules to everything it gets. */
export const DEFAULT_CONFIG: Config = {
  project_id: 0,
  sampling_rate: 1,
  record: false,
  masking: { inputs: 'all', fields: [], parameters: [], allow: [] },
  honour_gpc: true,
  honour_dnt: false,
};

/** Fetches the project's configuration. Rejects where the response is none. The browser caches it for a minute. */
export async function fetchConfig({ fetch, json }: { fetch: typeof globalThis.fetch; json: Json }, endpoint: string, project: string): Promise<Config> {
  const response = await fetch(`${endpoint}/api/v1/config?key=${encodeURIComponent(project)}`, { credentials: 'omit' });
  const config = json.parse(await response.text()) as Config;
  if (!response.ok || !config.masking) throw new Error(`config: ${response.status}`);
  return config;
}
