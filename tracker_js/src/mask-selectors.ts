import type { ResolvedOptions } from './options';

const join = (...selectors: string[]): string => selectors.filter((selector) => selector.trim() !== '').join(',');

/**
 * Selector of elements that are blank in recordings and screenshots, with the copy of the page that html2canvas makes.
 * Throws where the option is no selector: nothing may be recorded then.
 */
export function blockSelector({ block }: Pick<ResolvedOptions, 'block'>): string {
  return checked(join('[data-block],.rr-block,.html2canvas-container', block));
}

/** Selector of elements whose text is masked in recordings, and which are blank in screenshots. */
export function maskSelector({ maskText }: Pick<ResolvedOptions, 'maskText'>): string {
  return checked(join('.rr-mask', maskText));
}

function checked(selector: string): string {
  document.createDocumentFragment().querySelector(selector);
  return selector;
}
