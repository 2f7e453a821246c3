import type { Options, Tracker } from './api.js';
import type { LoadPart } from './context';
import { createTracker as create } from './tracker';

export type { Options, Tracker } from './api.js';

// The bundler makes a module of each file that this can mean.
const load: LoadPart = (name) => import(`./${name}.lazy.ts`);

/** A tracker of your own, beside `tracker`: for a second project. */
export const createTracker = (options: Options = {}): Tracker => create(options, load);

/** Say `tracker.init({ project, endpoint })` once; it can be called before, too. */
export const tracker: Tracker = createTracker();

export default tracker;
