import type { PartContext } from './context';
import { type Field, isField, MASK, type Secrets } from './mask';

/** Colour of blank elements. */
export const BLANK = '#d9d9d9';
/** Replaces the content of an image. */
export const PIXEL = 'data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7';
/** For each image and font of the page: one that takes longer is left out. */
export const RESOURCE_TIMEOUT_MS = 5_000;

export interface Drawing {
  secrets: Secrets;
  /** The browser's own, since the page may have wrapped its `fetch`. */
  fetch: PartContext['fetch'];
  /** Selector of elements that are blank: `[data-private]` and the options' selectors. */
  blank: string;
  /** The page's size in CSS pixels, and the image's pixels per CSS pixel. */
  width: number;
  height: number;
  scale: number;
  background: string;
}

/** Draws the whole page. */
export type Engine = (drawing: Drawing) => Promise<HTMLCanvasElement>;

/** Returns what the copy of a field shows: the value that the visitor sees, or the mask. */
export const visibleValue = (field: Field, isMasked: boolean): string => (field.value === '' ? '' : isMasked ? MASK : field.value);

export const isElement = (node: Node): node is Element => node.nodeType === Node.ELEMENT_NODE;
export const isFieldNode = (node: Node): node is Field => isElement(node) && isField(node);
