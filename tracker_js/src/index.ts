import type { Tracker } from './types';
import type { Capture } from './screenshots';
import { guard } from './guard';
import { createTracker } from './tracker';

declare global {
  interface Window {
    tracker?: Tracker;
  }
  /** Name of the lazy file, with its hash; set by the build. */
  const SCREENSHOT_FILE: string;
}

/** Null in a module or when a loader evaluates the text: then the tag is looked for. */
function findTag(): HTMLScriptElement | null {
  const current = document.currentScript;
  if (current?.localName === 'script') return current as HTMLScriptElement;
  return document.querySelector<HTMLScriptElement>('script[src][data-project]');
}

guard(() => {
  // The tag stands on the page twice: the first one records. (An element with the id "tracker" shows up here, too.)
  if (typeof window.tracker?.init === 'function') return;
  const tag = findTag();
  // An inline script has an empty one.
  const source = new URL(tag?.src ?? '', location.href).href;
  const data = tag?.dataset;
  const loadCapture = async (): Promise<Capture> => {
    const file = (await import(new URL(`tracker/${SCREENSHOT_FILE}`, source).href)) as { capture: Capture };
    return file.capture;
  };
  const tracker = createTracker(
    {
      project: data?.project,
      // The server is where its script is, with the path that a proxy may put before it.
      endpoint: data?.endpoint ?? new URL('.', source).href,
      screenshots: data?.screenshots !== 'false',
    },
    loadCapture,
  );
  window.tracker = tracker;
  if (data?.auto !== 'false') tracker.init();
})();
