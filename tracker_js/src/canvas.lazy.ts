// The recorder with that of canvases, which is left out of the other one.
export { start } from './recorder.lazy';
