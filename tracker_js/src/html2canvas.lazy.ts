import html2canvas from 'html2canvas';
import type { Field } from './mask';
import { BLANK, type Engine, RESOURCE_TIMEOUT_MS, visibleValue } from './screenshot-engine';

const FIELD_SELECTOR = 'input,textarea,select';
/** A copy of these would load, run or play a second time. */
const LEFT_OUT = 'iframe,frame,object,embed,audio';

/** Replaces the element by an empty box of the same place and size. */
function blankOut(copy: Element): void {
  const view = copy.ownerDocument.defaultView;
  if (!view) return;
  const box = copy.ownerDocument.createElement('span');
  const style = view.getComputedStyle(copy);
  const { width, height } = copy.getBoundingClientRect();
  for (const name of style) box.style.setProperty(name, style.getPropertyValue(name));
  if (style.display === 'inline') box.style.display = 'inline-block';
  box.style.boxSizing = 'border-box';
  box.style.width = `${width}px`;
  box.style.height = `${height}px`;
  for (const name of ['border-image', 'list-style', 'content', 'box-shadow', 'filter', 'transform']) box.style.setProperty(name, 'none');
  box.style.background = BLANK;
  copy.replaceWith(box);
}

function fill(copy: Field, original: Field | undefined, isMasked: boolean): void {
  if (!isMasked) return;
  if (copy.localName === 'select') (copy as HTMLSelectElement).selectedIndex = -1;
  else if (/^(checkbox|radio)$/.test(copy.type)) (copy as HTMLInputElement).checked = false;
  else copy.value = visibleValue(original ?? copy, true);
}

/** Uses html2canvas, which reads the styles of a copy of the page and draws them itself. */
export const draw: Engine = ({ secrets, blank, width, height, scale, background }) => {
  const isLeftOut = (element: Element): boolean => element.matches(LEFT_OUT);
  const originals = [...document.querySelectorAll<Field>(FIELD_SELECTOR)].filter((field) => !field.closest('[data-html2canvas-ignore]'));
  return html2canvas(document.documentElement, {
    width,
    height,
    scale,
    backgroundColor: background,
    logging: false,
    useCORS: true,
    imageTimeout: RESOURCE_TIMEOUT_MS,
    windowWidth: innerWidth,
    windowHeight: innerHeight,
    scrollX: 0,
    scrollY: 0,
    ignoreElements: isLeftOut,
    onclone(copy) {
      const fields = [...copy.querySelectorAll<Field>(FIELD_SELECTOR)];
      // Fields of shadow trees are in the copy like others: then no copy can be assigned to its original.
      const areSame = fields.length === originals.length && fields.every((field, index) => field.name === originals[index]?.name && field.type === originals[index]?.type);
      fields.forEach((field, index) => {
        const original = areSame ? originals[index] : undefined;
        fill(field, original, !original || secrets.isMasked(original));
      });
      copy.querySelectorAll(blank).forEach(blankOut);
    },
  });
};
