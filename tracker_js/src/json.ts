// Taken at the start: what a page puts in their place later is its own. Parts come later and get these by their context.
export const { parse } = JSON;
const { stringify } = JSON;

export interface Json {
  parse: typeof JSON.parse;
  toJson: typeof toJson;
}

/** JSON as the language has it. A library that gives arrays a `toJSON` (Prototype does) would make texts of them. */
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

/** As the browser had it at the start. */
export const json: Json = { parse, toJson };
