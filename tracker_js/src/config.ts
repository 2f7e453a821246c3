import type { Json } from './json';

/** A project's masking rules, beside the built-in ones (`GET /api/v1/config`). */
export interface Masking {
  /** `all`: no typed value is sent at all. */
  inputs: 'secrets' | 'all';
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

/** Of a server that cannot be asked now. It applies the project's own rules to all that it gets, whatever is done here. */
export const DEFAULT_CONFIG: Config = {
  project_id: 0,
  sampling_rate: 1,
  record: false,
  masking: { inputs: 'secrets', fields: [], parameters: [], allow: [] },
  honour_gpc: true,
  honour_dnt: false,
};

/** How the project wants its pages recorded; rejects when the server does not say. Its answer is cached by the browser for a minute. */
export async function fetchConfig({ fetch, json }: { fetch: typeof globalThis.fetch; json: Json }, endpoint: string, project: string): Promise<Config> {
  const answer = await fetch(`${endpoint}/api/v1/config?key=${encodeURIComponent(project)}`, { credentials: 'omit' });
  const config = json.parse(await answer.text()) as Config;
  if (!answer.ok || !config.masking) throw new Error(`config: ${answer.status}`);
  return config;
}
