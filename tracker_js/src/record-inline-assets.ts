import type { PartContext } from './context';
import { blobToDataUrl } from './data-url';
import { combineTeardowns, guard, listen, type Teardown } from './guard';
import { isReadable, imageToDataUrl } from './image-data-url';
import { FONT, INCREMENTAL, type Mirror, MUTATION, type RecordedEvent, type SerializedNode } from './rrweb-types';

/** As data URLs. A page's logo and pictures as they are shown; a photo of full width stays an address. */
const MAX_IMAGE_CHARACTERS = 100_000;
const MAX_IMAGES_CHARACTERS = 1_000_000;
/** A Latin subset has some 20 to 40 KB. */
const MAX_FONT_CHARACTERS = 80_000;
const MAX_FONTS_CHARACTERS = 240_000;

export interface Inliner {
  /** An image of a snapshot or mutation that is about to be told: it is filled in now if it is known, else told later. */
  image: (node: SerializedNode) => void;
  /** A full snapshot was told, whose page has no fonts yet. */
  fonts: () => void;
  stop: Teardown;
}

const whenIdle = (work: () => void): void => {
  if (typeof requestIdleCallback === 'function') requestIdleCallback(work);
  else setTimeout(work);
};

interface FontEvent {
  family: string;
  fontSource: string;
  buffer: false;
  descriptors: Record<string, string>;
}

const bare = (family: string): string => family.replace(/["']/g, '').trim();
const weight = (value: string): string => ({ normal: '400', bold: '700' })[value] ?? value;

/** The `@font-face` rules of our own site whose fonts are in use, with the address of each. */
function fontRules(): { rule: CSSFontFaceRule; url: string }[] {
  const inUse = new Set<string>();
  const key = (family: string, heavy: string, style: string): string => [bare(family).toLowerCase(), weight(heavy || 'normal'), style || 'normal'].join();
  document.fonts.forEach((font) => {
    if (font.status === 'loaded') inUse.add(key(font.family, font.weight, font.style));
  });
  const found: { rule: CSSFontFaceRule; url: string }[] = [];
  const visit = (rules: CSSRuleList, base: string): void => {
    for (const rule of rules) {
      if (rule instanceof CSSFontFaceRule) {
        const { style } = rule;
        const value = (name: string): string => style.getPropertyValue(name);
        const address = /url\((["']?)(.+?)\1\)/.exec(value('src'))?.[2];
        if (!address || address.startsWith('data:') || !inUse.has(key(value('font-family'), value('font-weight'), value('font-style')))) continue;
        const url = new URL(address, base);
        if (url.origin === location.origin) found.push({ rule, url: url.href });
      } else if ('cssRules' in rule) visit((rule as CSSGroupingRule).cssRules, base);
    }
  };
  for (const sheet of document.styleSheets) {
    try {
      visit(sheet.cssRules, sheet.href ?? document.baseURI);
    } catch {
      // Of another site: its rules are hidden from us.
    }
  }
  return found;
}

/**
 * Tells images and fonts of the page with the recording, for they may be gone when it is replayed. rrweb's own ways
 * (`inlineImages`, `collectFonts`) reload images of the page and replace `FontFace`, which pages have been seen to
 * break on: these only read. `tell` sends an event of our own.
 */
export function createInliner(mirror: Mirror, fetch: PartContext['fetch'], tell: (event: RecordedEvent) => void): Inliner {
  /** By address; empty: it cannot be had, or is too large. */
  const known = new Map<string, string>();
  const open = new WeakSet<Element>();
  const waiting = new Set<HTMLImageElement>();
  let room = MAX_IMAGES_CHARACTERS;
  let stopped = false;
  let working = false;
  let fontEvents: FontEvent[] | undefined;

  const sources = (image: HTMLImageElement): Element[] =>
    image.parentElement?.localName === 'picture' ? [...image.parentElement.children].filter(({ localName }) => localName === 'source') : [];

  const later = (image: HTMLImageElement, data: string): void => {
    const attributes = [{ id: mirror.getId(image), attributes: { src: data, ...(image.srcset && { srcset: null }) } }];
    for (const source of sources(image)) attributes.push({ id: mirror.getId(source), attributes: { srcset: null } as never });
    if (attributes.some(({ id }) => id < 1)) return;
    tell({ type: INCREMENTAL, timestamp: Date.now(), data: { source: MUTATION, texts: [], removes: [], adds: [], attributes } });
  };
  const take = async (image: HTMLImageElement): Promise<void> => {
    const { currentSrc } = image;
    if (!image.isConnected || !image.complete || image.naturalWidth === 0 || !/^(https?|blob):/.test(currentSrc)) return;
    let data = known.get(currentSrc);
    if (data === undefined) {
      data = '';
      if (isReadable(image, new URL(currentSrc))) data = await imageToDataUrl(image).catch(() => '');
      if (data.length > Math.min(MAX_IMAGE_CHARACTERS, room)) data = '';
      room -= data.length;
      known.set(currentSrc, data);
    }
    if (data !== '' && !stopped && image.currentSrc === currentSrc) later(image, data);
  };
  /** One image in each idle moment. */
  const work = guard(() => {
    const [image] = waiting;
    working = image !== undefined && !stopped;
    if (!image || stopped) return;
    waiting.delete(image);
    void take(image).then(
      () => {
        whenIdle(work);
      },
      () => {
        whenIdle(work);
      },
    );
  });
  const queue = (image: HTMLImageElement): void => {
    waiting.add(image);
    if (working) return;
    working = true;
    whenIdle(work);
  };

  const loadFonts = async (): Promise<FontEvent[]> => {
    const events: FontEvent[] = [];
    let left = MAX_FONTS_CHARACTERS;
    for (const { rule, url } of fontRules()) {
      // It is there already; a policy of the page that forbids it forbids all of them.
      const answer = await fetch(url, { cache: 'force-cache' });
      const data = answer.ok ? await blobToDataUrl(await answer.blob()) : '';
      if (data === '' || data.length > Math.min(MAX_FONT_CHARACTERS, left)) continue;
      left -= data.length;
      const value = (name: string): string => rule.style.getPropertyValue(name);
      const told = { style: value('font-style'), weight: value('font-weight'), stretch: value('font-stretch'), unicodeRange: value('unicode-range') };
      const descriptors = Object.fromEntries(Object.entries(told).filter(([, text]) => text !== ''));
      events.push({ family: bare(value('font-family')), fontSource: `url(${data})`, buffer: false, descriptors });
    }
    return events;
  };
  const tellFonts = async (): Promise<void> => {
    await document.fonts.ready;
    fontEvents ??= await loadFonts().catch(() => []);
    for (const font of fontEvents) {
      if (!stopped) tell({ type: INCREMENTAL, timestamp: Date.now(), data: { source: FONT, ...font } });
    }
  };

  return {
    image(node) {
      const image = mirror.getNode(node.id) as HTMLImageElement | null;
      if (!image || !node.attributes) return;
      open.add(image);
      const data = known.get(image.currentSrc);
      if (!data || sources(image).length > 0) {
        if (data !== '') queue(image);
        return;
      }
      node.attributes.src = data;
      delete node.attributes.srcset;
    },
    fonts: () => {
      if (typeof document.fonts?.forEach === 'function') whenIdle(() => void tellFonts().catch(() => undefined));
    },
    stop: combineTeardowns([
      () => {
        stopped = true;
        waiting.clear();
      },
      // Also of an image that was not there yet, or got another address.
      listen(document, 'load', ({ target }) => {
        if (open.has(target as Element)) queue(target as HTMLImageElement);
      }),
    ]),
  };
}
