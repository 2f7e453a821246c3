import { domToJpeg } from 'modern-screenshot';
import { type Field, isField, isPrivate, MASK } from './mask';
import type { Secrets } from './types';

/** What a phone's browser can draw (4096 × 4096); a page of 1,280 pixels width fits at full size up to 13,000 pixels height. */
const MAX_PIXELS = 4_096 * 4_096;
const MAX_SIDE = 16_384;
/** The server takes images up to 10 MB; base64 makes four characters of three bytes. */
const MAX_CHARACTERS = (10_000_000 / 3) * 4;
const QUALITY = 0.8;
/** For each of the page's images and fonts: one that hangs is left out. */
const RESOURCE_TIMEOUT_MS = 5_000;

export interface Shot {
  image_data: string;
  width: number;
  height: number;
}

/** What the page's own background is: the root's, else the body's, else paper. */
function background(): string {
  for (const element of [document.documentElement, document.body]) {
    const colour = element ? getComputedStyle(element).backgroundColor : '';
    if (colour && !/^(transparent|rgba\(0, 0, 0, 0\))$/.test(colour)) return colour;
  }
  return '#fff';
}

const isElement = (node: Node): node is Element => node.nodeType === Node.ELEMENT_NODE;

/** Gives the clone of a field what the visitor sees in it (the library leaves out all but an input's text), or the mask. */
function fill(clone: Field, original: Field, secret: boolean): void {
  const shown = original.value === '' ? '' : secret ? MASK : original.value;
  if (original.localName === 'textarea') clone.textContent = shown;
  else if (original.localName === 'select') {
    clone.querySelectorAll('option').forEach((option, index) => {
      option.toggleAttribute('selected', !secret && index === (original as HTMLSelectElement).selectedIndex);
    });
  } else clone.toggleAttribute('checked', !secret && (original as HTMLInputElement).checked);
  if (clone.hasAttribute('value')) clone.setAttribute('value', shown);
  // A placeholder's colour is lost too: it would look typed.
  if (shown === '' && 'placeholder' in original) clone.style.webkitTextFillColor = getComputedStyle(original, '::placeholder').color;
}

async function draw(secrets: Secrets, scale: number, width: number, height: number): Promise<string> {
  // The library shows each original to `filter`, then its clone to `onCloneEachNode`, and there is no other field in between.
  let original: Field | undefined;
  return domToJpeg(document.documentElement, {
    width,
    height,
    scale,
    quality: QUALITY,
    timeout: RESOURCE_TIMEOUT_MS,
    backgroundColor: background(),
    filter(node) {
      // A private box keeps its place and loses its content.
      const parent = node.parentElement;
      if (parent && (isPrivate(parent) || (isField(parent) && secrets.isSecret(parent)))) return false;
      if (isElement(node) && isField(node)) original = node;
      return true;
    },
    onCloneEachNode(cloned) {
      if (original && isElement(cloned) && isField(cloned)) fill(cloned, original, secrets.isSecret(original));
    },
  });
}

/** The whole page as a JPEG, at full size unless it is too large to draw or to send. */
export async function capture(secrets: Secrets): Promise<Shot | undefined> {
  const page = document.documentElement;
  const width = Math.max(page.scrollWidth, innerWidth);
  const height = Math.max(page.scrollHeight, innerHeight);
  let scale = Math.min(1, Math.sqrt(MAX_PIXELS / (width * height)), MAX_SIDE / Math.max(width, height));
  for (let attempt = 0; attempt < 2; attempt++, scale /= 2) {
    const image = await draw(secrets, scale, width, height);
    if (image.startsWith('data:image/jpeg') && image.length <= MAX_CHARACTERS) {
      return { image_data: image, width: Math.floor(width * scale), height: Math.floor(height * scale) };
    }
  }
  return undefined;
}
