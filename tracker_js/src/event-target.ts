import type { EventFields } from './event';

/** What an event happened to. From outside of a shadow tree its host is the target. */
export const targetOf = (event: Event): EventTarget | null => event.composedPath?.()[0] ?? event.target;

/** Where a pointer was. */
export const pointerPosition = (event: MouseEvent): EventFields => ({
  viewport_x: Math.round(event.clientX),
  viewport_y: Math.round(event.clientY),
  screen_x: Math.round(event.screenX),
  screen_y: Math.round(event.screenY),
  scroll_x: Math.round(scrollX),
  scroll_y: Math.round(scrollY),
});
