import type { PartContext } from './context';
import { type Field, isField, MASK, type Secrets } from './mask';

/** What stands where something is blank. */
export const BLANK = '#d9d9d9';
/** For an image without its content. */
export const PIXEL = 'data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7';
/** For each of the page's images and fonts: one that hangs is left out. */
export const RESOURCE_TIMEOUT_MS = 5_000;

export interface Drawing {
  secrets: Secrets;
  /** Not the page's, which may be watched. */
  fetch: PartContext['fetch'];
  /** A selector of what is blank: `[data-private]` and what the options name. */
  blank: string;
  /** The page's size, and how many pixels of the image one of it becomes. */
  width: number;
  height: number;
  scale: number;
  background: string;
}

/** Draws the whole page. */
export type Engine = (drawing: Drawing) => Promise<HTMLCanvasElement>;

/** What the copy of a field shows: what the visitor sees in it, or the mask. */
export const visibleValue = (field: Field, isSecret: boolean): string => (field.value === '' ? '' : isSecret ? MASK : field.value);

export const isElement = (node: Node): node is Element => node.nodeType === Node.ELEMENT_NODE;
export const isFieldNode = (node: Node): node is Field => isElement(node) && isField(node);
