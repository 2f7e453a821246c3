import type { Options, Tracker } from './api.js';
import type { LoadPart } from './context';
import { createTracker as create } from './tracker';

export type { Options, Tracker } from './api.js';

// The bundler makes a chunk of each file that matches this pattern.
const load: LoadPart = (name) => import(`./${name}.lazy.ts`);

/** Returns another tracker beside `tracker`, for a second project. */
export const createTracker = (options: Options = {}): Tracker => create(options, load);

/** Call `tracker.init({ project, endpoint })` once. Other calls may come before it. */
export const tracker: Tracker = createTracker();

export default tracker;
