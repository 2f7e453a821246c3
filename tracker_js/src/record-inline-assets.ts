import type { PartContext } from './context';
import { blobToDataUrl } from './data-url';
import { combineTeardowns, guard, listen, type Teardown } from './guard';
import { whenIdle } from './idle';
import { isReadable, imageToDataUrl } from './image-data-url';
import { FONT, INCREMENTAL, type Mirror, MUTATION, type RecordedEvent, type SerializedNode } from './rrweb-types';

/** Limits for data URLs. Logos and pictures at their displayed size fit; a photo of full width stays an address. */
const MAX_IMAGE_CHARACTERS = 100_000;
const MAX_IMAGES_CHARACTERS = 1_000_000;
/** A Latin subset has about 20 to 40 KB. */
const MAX_FONT_CHARACTERS = 80_000;
const MAX_FONTS_CHARACTERS = 240_000;

export interface Inliner {
  /** Fills in an image of a snapshot or mutation that is about to be sent, now where it is known, else by a later mutation. */
  inlineImage: (node: SerializedNode) => void;
  /** A full snapshot was sent, whose replay has no fonts yet. */
  inlineFonts: () => void;
  stop: Teardown;
}

interface FontEvent {
  family: string;
  fontSource: string;
  buffer: false;
  descriptors: Record<string, string>;
}

const unquoted = (family: string): string => family.replace(/["']/g, '').trim();
const weight = (value: string): string => ({ normal: '400', bold: '700' })[value] ?? value;

/** Returns the `@font-face` rules of this site whose fonts are in use, with their addresses. */
function fontRules(): { rule: CSSFontFaceRule; url: string }[] {
  const inUse = new Set<string>();
  const key = (family: string, heavy: string, style: string): string => [unquoted(family).toLowerCase(), weight(heavy || 'normal'), style || 'normal'].join();
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
      // A style sheet of another site: its rules are not readable.
    }
  }
  return found;
}

/**
 * Adds images and fonts of the page to the recording, since they may be gone when it is replayed. rrweb's own ways
 * (`inlineImages`, `collectFonts`) reload images and replace `FontFace`, which has broken pages; this only reads.
 * `emit` sends an rrweb event.
 */
export function createInliner(mirror: Mirror, fetch: PartContext['fetch'], emit: (event: RecordedEvent) => void): Inliner {
  /** Data URLs by address; empty where the image is unreadable or too large. */
  const known = new Map<string, string>();
  const recorded = new WeakSet<Element>();
  const waiting = new Set<HTMLImageElement>();
  let charactersLeft = MAX_IMAGES_CHARACTERS;
  let isStopped = false;
  let isWorking = false;
  let fontEvents: FontEvent[] | undefined;

  const sources = (image: HTMLImageElement): Element[] =>
    image.parentElement?.localName === 'picture' ? [...image.parentElement.children].filter(({ localName }) => localName === 'source') : [];

  const emitImage = (image: HTMLImageElement, data: string): void => {
    const attributes = [{ id: mirror.getId(image), attributes: { src: data, ...(image.srcset && { srcset: null }) } }];
    for (const source of sources(image)) attributes.push({ id: mirror.getId(source), attributes: { srcset: null } as never });
    if (attributes.some(({ id }) => id < 1)) return;
    emit({ type: INCREMENTAL, timestamp: Date.now(), data: { source: MUTATION, texts: [], removes: [], adds: [], attributes } });
  };
  const inline = async (image: HTMLImageElement): Promise<void> => {
    const { currentSrc } = image;
    if (!image.isConnected || !image.complete || image.naturalWidth === 0 || !/^(https?|blob):/.test(currentSrc)) return;
    let data = known.get(currentSrc);
    if (data === undefined) {
      data = '';
      if (isReadable(image, new URL(currentSrc))) data = await imageToDataUrl(image).catch(() => '');
      if (data.length > Math.min(MAX_IMAGE_CHARACTERS, charactersLeft)) data = '';
      charactersLeft -= data.length;
      known.set(currentSrc, data);
    }
    if (data !== '' && !isStopped && image.currentSrc === currentSrc) emitImage(image, data);
  };
  /** One image in each idle moment. */
  const inlineNext = guard(() => {
    const [image] = waiting;
    isWorking = image !== undefined && !isStopped;
    if (!image || isStopped) return;
    waiting.delete(image);
    void inline(image).then(continueWhenIdle, continueWhenIdle);
  });
  const continueWhenIdle = (): void => {
    whenIdle(inlineNext);
  };
  const queue = (image: HTMLImageElement): void => {
    waiting.add(image);
    if (isWorking) return;
    isWorking = true;
    continueWhenIdle();
  };

  const loadFonts = async (): Promise<FontEvent[]> => {
    const events: FontEvent[] = [];
    let left = MAX_FONTS_CHARACTERS;
    for (const { rule, url } of fontRules()) {
      // The font is in the cache. A content security policy that forbids one request forbids all of them.
      const response = await fetch(url, { cache: 'force-cache' });
      const data = response.ok ? await blobToDataUrl(await response.blob()) : '';
      if (data === '' || data.length > Math.min(MAX_FONT_CHARACTERS, left)) continue;
      left -= data.length;
      const value = (name: string): string => rule.style.getPropertyValue(name);
      const properties = { style: value('font-style'), weight: value('font-weight'), stretch: value('font-stretch'), unicodeRange: value('unicode-range') };
      const descriptors = Object.fromEntries(Object.entries(properties).filter(([, text]) => text !== ''));
      events.push({ family: unquoted(value('font-family')), fontSource: `url(${data})`, buffer: false, descriptors });
    }
    return events;
  };
  const emitFonts = async (): Promise<void> => {
    await document.fonts.ready;
    fontEvents ??= await loadFonts().catch(() => []);
    for (const font of fontEvents) {
      if (!isStopped) emit({ type: INCREMENTAL, timestamp: Date.now(), data: { source: FONT, ...font } });
    }
  };

  return {
    inlineImage(node) {
      const image = mirror.getNode(node.id) as HTMLImageElement | null;
      if (!image || !node.attributes) return;
      recorded.add(image);
      const data = known.get(image.currentSrc);
      if (!data || sources(image).length > 0) {
        if (data !== '') queue(image);
        return;
      }
      node.attributes.src = data;
      delete node.attributes.srcset;
    },
    inlineFonts: () => {
      if (typeof document.fonts?.forEach === 'function') whenIdle(() => void emitFonts().catch(() => undefined));
    },
    stop: combineTeardowns([
      () => {
        isStopped = true;
        waiting.clear();
      },
      // Also for an image that was not loaded yet, or gets another address.
      listen(document, 'load', ({ target }) => {
        if (recorded.has(target as Element)) queue(target as HTMLImageElement);
      }),
    ]),
  };
}
