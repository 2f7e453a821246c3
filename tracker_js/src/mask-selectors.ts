import type { ResolvedOptions } from './options';

const join = (...selectors: string[]): string => selectors.filter((selector) => selector.trim() !== '').join(',');

/** What is blank in recordings and screenshots, among it the copy of the page that html2canvas makes. Throws for a selector that is none: nothing may be taken then. */
export function blockSelector({ block }: Pick<ResolvedOptions, 'block'>): string {
  return checked(join('[data-block],.rr-block,.html2canvas-container', block));
}

/** Whose text is masked in recordings, and which is blank in screenshots. */
export function maskSelector({ maskText }: Pick<ResolvedOptions, 'maskText'>): string {
  return checked(join('.rr-mask', maskText));
}

function checked(selector: string): string {
  document.createDocumentFragment().querySelector(selector);
  return selector;
}
