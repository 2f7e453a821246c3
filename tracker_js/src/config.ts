import type { Config, PartContext } from './types';

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
export async function fetchConfig({ fetch, json }: Pick<PartContext, 'fetch' | 'json'>, endpoint: string, project: string): Promise<Config> {
  const answer = await fetch(`${endpoint}/api/v1/config?key=${encodeURIComponent(project)}`, { credentials: 'omit' });
  const config = json.parse(await answer.text()) as Config;
  if (!answer.ok || !config.masking) throw new Error(`config: ${answer.status}`);
  return config;
}
