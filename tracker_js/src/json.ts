// Taken when the tracker starts: the page may replace them later. Parts get them from their context.
export const { parse } = JSON;
const { stringify } = JSON;

export interface Json {
  parse: typeof JSON.parse;
  toJson: typeof toJson;
}

/** Plain JSON. Libraries that define `Array.prototype.toJSON` (Prototype) would turn arrays into strings. */
export function toJson(value: unknown, replacer?: (name: string, value: unknown) => unknown): string {
  const arrays = Array.prototype as { toJSON?: unknown };
  const { toJSON } = arrays;
  if (toJSON) delete arrays.toJSON;
  try {
    return stringify(value, replacer);
  } finally {
    if (toJSON) arrays.toJSON = toJSON;
  }
}

/** `JSON` as the browser had it when the tracker started. */
export const json: Json = { parse, toJson };
