import type { EventFields } from './event';

/** Returns the element that an event happened to. Outside of a shadow tree, `target` would be its host. */
export const targetOf = (event: Event): EventTarget | null => event.composedPath?.()[0] ?? event.target;

/** Returns the coordinates of a pointer event. */
export const pointerPosition = (event: MouseEvent): EventFields => ({
  viewport_x: Math.round(event.clientX),
  viewport_y: Math.round(event.clientY),
  screen_x: Math.round(event.screenX),
  screen_y: Math.round(event.screenY),
  scroll_x: Math.round(scrollX),
  scroll_y: Math.round(scrollY),
});
