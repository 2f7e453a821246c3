// The recorder with support for canvases, which `recorder.lazy.ts` is built without (rrweb.mjs).
export { start } from './recorder.lazy';
