import { guard } from './guard';
import { parse, toJson } from './json';

/** localStorage first, for a visit spans tabs; a browser may refuse either, and then the page alone remembers. */
function openStores(): Storage[] {
  const stores: Storage[] = [];
  for (const name of ['localStorage', 'sessionStorage'] as const) {
    try {
      stores.push(window[name]);
    } catch {
      // Blocked by the browser's settings or a sandbox: the next one, or none.
    }
  }
  return stores;
}

/** What the browser keeps for a project between pages, each thing under a name of its own. */
export interface ProjectStorage {
  /** How a thing is called in the browser's storage. */
  keyOf: (name: string) => string;
  /** Undefined where nothing, or nothing readable, is kept. */
  read: (name: string) => unknown;
  /** Undefined removes it. */
  write: (name: string, value: unknown) => void;
  /** Removes all of it. */
  clear: () => void;
}

export function openProjectStorage(project: string): ProjectStorage {
  const end = `.${project}`;
  const keyOf = (name: string): string => `tracker.${name}${end}`;
  const stores = openStores();
  return {
    keyOf,
    read(name) {
      for (const store of stores) {
        try {
          const text = store.getItem(keyOf(name));
          if (text !== null) return parse(text) as unknown;
        } catch {
          // Unreadable: as if nothing was there.
        }
      }
      return undefined;
    },
    write(name, value) {
      for (const store of stores) {
        try {
          if (value === undefined) store.removeItem(keyOf(name));
          else {
            store.setItem(keyOf(name), toJson(value));
            return;
          }
        } catch {
          // Full or refused: try the next.
        }
      }
    },
    clear: guard(() => {
      for (const store of stores) {
        for (const key of Object.keys(store)) if (key.startsWith('tracker.') && key.endsWith(end)) store.removeItem(key);
      }
    }),
  };
}
