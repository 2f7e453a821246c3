import { createContext, domToCanvas } from 'modern-screenshot';
import { blobToDataUrl } from './data-url';
import { isReadable, imageToDataUrl } from './image-data-url';
import type { Field } from './mask';
import { BLANK, type Drawing, type Engine, isElement, isFieldNode, PIXEL, RESOURCE_TIMEOUT_MS, visibleValue } from './screenshot-engine';

/** Copying the page blocks it for at most this long at a time. */
const SLICE_MS = 12;

/** Computed styles that a still image does not show, and aliases. Copying styles takes half of the time. */
const IGNORED_STYLES = /^(animation|transition|scroll|overscroll|view-transition|timeline|offset|page|orphans|widows|break|cursor|pointer-events|user-select|touch-action|will-change|caret|perspective-origin|app-region|speak)|(^|-)(inline|block)(-|$)/;

/** Gives the copy of a field what the visitor sees in it, or the mask. The library copies only the text of an input. */
function fill(copy: Field, original: Field, isMasked: boolean): void {
  const text = visibleValue(original, isMasked);
  if (original.localName === 'textarea') copy.textContent = text;
  else if (original.localName === 'select') {
    copy.querySelectorAll('option').forEach((option, index) => {
      option.toggleAttribute('selected', !isMasked && index === (original as HTMLSelectElement).selectedIndex);
    });
  } else copy.toggleAttribute('checked', !isMasked && (original as HTMLInputElement).checked);
  if (copy.hasAttribute('value')) copy.setAttribute('value', text);
  // The placeholder's colour is lost, too: it would look like a typed value.
  if (text === '' && 'placeholder' in original) copy.style.webkitTextFillColor = getComputedStyle(original, '::placeholder').color;
}

/** Keeps the place and size of the element and removes everything else. */
function blankOut(copy: Element, original: Element): void {
  const { style } = copy as HTMLElement;
  const { offsetWidth, offsetHeight } = original as HTMLElement;
  copy.replaceChildren();
  for (const name of copy.getAttributeNames()) if (name !== 'style') copy.removeAttribute(name);
  if (copy.localName === 'img') copy.setAttribute('src', PIXEL);
  // A shape within an SVG.
  if (offsetWidth === undefined && original.localName !== 'svg') style.display = 'none';
  const { width, height } = original.getBoundingClientRect();
  if (getComputedStyle(original).display === 'inline') style.display = 'inline-block';
  style.boxSizing = 'border-box';
  style.width = `${offsetWidth || width}px`;
  style.height = `${offsetHeight || height}px`;
  for (const name of ['border-image', 'mask', '-webkit-mask', 'list-style', 'content', 'box-shadow', 'filter']) style.setProperty(name, 'none', 'important');
  style.setProperty('background', BLANK, 'important');
}

/** Loads an image by its address: from the page itself where possible, else by a request. Returns an empty pixel where it fails. */
const loader = ({ fetch }: Drawing) => async (url: string): Promise<string> => {
  const images = [...document.images].filter((image) => image.currentSrc === url && image.complete && image.naturalWidth > 0);
  const [largest] = images.sort((one, other) => other.width - one.width);
  try {
    if (largest && isReadable(largest, new URL(url))) return await imageToDataUrl(largest);
  } catch {
    // The image came from another site by a redirect; that site may allow a request.
  }
  try {
    const answer = await fetch(url, { cache: 'force-cache', signal: AbortSignal.timeout?.(RESOURCE_TIMEOUT_MS) });
    return answer.ok ? await blobToDataUrl(await answer.blob()) : PIXEL;
  } catch {
    return PIXEL;
  }
};

/**
 * Returns an empty document in which the library looks up default styles. The library's own frame is still loading at
 * the first pause.
 */
function emptyFrame(): Promise<HTMLIFrameElement> {
  const frame = document.createElement('iframe');
  frame.style.cssText = 'position:fixed;visibility:hidden;width:0;height:0;border:0';
  // Recordings leave it out.
  frame.setAttribute('data-block', '');
  return new Promise((resolve) => {
    frame.onload = () => {
      resolve(frame);
    };
    frame.srcdoc = '<!DOCTYPE html><title></title><body>';
    document.body.append(frame);
  });
}

/** Fills what the page has not painted: in Firefox the library clears its own fill, and JPEG would show black. */
function paintBackground(canvas: HTMLCanvasElement, background: string): HTMLCanvasElement {
  const paper = canvas.getContext('2d');
  if (paper) {
    paper.resetTransform();
    paper.globalCompositeOperation = 'destination-over';
    paper.fillStyle = background;
    paper.fillRect(0, 0, canvas.width, canvas.height);
  }
  return canvas;
}

/** Uses modern-screenshot: a copy of the page with its computed styles in an SVG, which the browser itself draws. */
export const drawModern: Engine = async (drawing) => {
  const { secrets, blank, width, height, scale, background } = drawing;
  /**
   * Originals whose copies are unfinished. The library passes each node to `filter` first, and its copy to
   * `onCloneEachNode` when its children are copied.
   */
  const open: Node[] = [];
  const frames = new WeakSet<Node>();
  const isBlank = (node: Node | undefined): boolean => node !== undefined && isElement(node) && node.matches(blank);
  let sliceBegan = performance.now();

  const context = await createContext(document.documentElement, {
    width,
    height,
    scale,
    timeout: RESOURCE_TIMEOUT_MS,
    backgroundColor: background,
    fetchFn: loader(drawing),
    includeStyleProperties: [...getComputedStyle(document.documentElement)].filter((name) => !IGNORED_STYLES.test(name)),
    filter(node) {
      const parent = open[open.length - 1];
      if (isBlank(parent) || (parent && isFieldNode(parent) && secrets.isMasked(parent))) return false;
      // Copies of texts and comments are not passed to `onCloneEachNode`.
      if (node.nodeType !== Node.TEXT_NODE) open.push(node);
      return true;
    },
    onCloneEachNode(copy) {
      // The copy of a frame is passed twice, first without its own styles.
      if (copy.nodeName === 'HTML' && open.length > 0 && !frames.has(copy)) {
        frames.add(copy);
        return undefined;
      }
      // The root of the page is not passed to `filter`.
      const original = open.pop();
      if (original && isElement(copy)) {
        if (isBlank(original)) blankOut(copy, original as Element);
        else if (isFieldNode(original) && isFieldNode(copy)) fill(copy, original, secrets.isMasked(original));
      }
      if (performance.now() - sliceBegan < SLICE_MS) return undefined;
      return new Promise((resolve) => {
        setTimeout(() => {
          sliceBegan = performance.now();
          resolve();
        });
      });
    },
  });
  const frame = await emptyFrame();
  try {
    context.sandbox = frame;
    sliceBegan = performance.now();
    return paintBackground(await domToCanvas(context), background);
  } finally {
    frame.remove();
  }
};
