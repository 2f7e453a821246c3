import { guard } from './guard';
import { parse, toJson } from './json';

/** The storages that the browser allows: localStorage, which all tabs share, before sessionStorage. */
function openStorages(): Storage[] {
  const storages: Storage[] = [];
  for (const name of ['localStorage', 'sessionStorage'] as const) {
    try {
      storages.push(window[name]);
    } catch {
      // The browser's settings or a sandbox block it.
    }
  }
  return storages;
}

/** The values of one project that the browser keeps between pages, each under its own key. Without any storage, nothing is kept. */
export interface ProjectStorage {
  /** Returns the key of a value in the browser's storage. */
  keyOf: (name: string) => string;
  /** Returns undefined where nothing, or nothing readable, is stored. */
  read: (name: string) => unknown;
  write: (name: string, value: unknown) => void;
  /** Removes all values of the project. */
  clear: () => void;
}

export function openProjectStorage(project: string): ProjectStorage {
  const suffix = `.${project}`;
  const keyOf = (name: string): string => `tracker.${name}${suffix}`;
  const storages = openStorages();
  return {
    keyOf,
    read(name) {
      for (const storage of storages) {
        try {
          const text = storage.getItem(keyOf(name));
          if (text !== null) return parse(text) as unknown;
        } catch {
          // Unreadable: the same as missing.
        }
      }
      return undefined;
    },
    write(name, value) {
      for (const storage of storages) {
        try {
          storage.setItem(keyOf(name), toJson(value));
          return;
        } catch {
          // Full or forbidden: the next storage is tried.
        }
      }
    },
    clear: guard(() => {
      for (const storage of storages) {
        for (const key of Object.keys(storage)) if (key.startsWith('tracker.') && key.endsWith(suffix)) storage.removeItem(key);
      }
    }),
  };
}
