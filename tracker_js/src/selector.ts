/** Attributes that developers set to find elements. */
const NAME_ATTRIBUTES = ['data-testid', 'data-test-id', 'data-test', 'data-cy', 'data-qa', 'id', 'name'];

/**
 * Names made at run time (`:r1:`, `_r_1_`, `radix-12`, `mat-input-3`, hashes), which belong to another element after
 * the next load. A stable name that matches by mistake only makes the selector longer.
 */
const GENERATED =
  /^[:«]|^_r_|^j_|\d{4}|[\da-f]{8}|[a-z]\d+[a-z]+\d|^(radix|headlessui|ember|yui|downshift|__|v-\d|(mui|mat|cdk|react|rc|ext|el-id|ng)[-_])/i;

/** The selector is stored in a column. */
const MAX_NAME = 100;

function findsOnly(root: ParentNode, selector: string, element: Element): boolean {
  try {
    const found = root.querySelectorAll(selector);
    return found.length === 1 && found[0] === element;
  } catch {
    return false;
  }
}

function byName(element: Element, root: ParentNode): string | undefined {
  for (const name of NAME_ATTRIBUTES) {
    const value = element.getAttribute(name);
    if (!value || value.length > MAX_NAME || GENERATED.test(value)) continue;
    const escaped = value.replace(/["\\]/g, '\\$&').replace(/[\n\r\f]/g, (end) => `\\${end.charCodeAt(0).toString(16)} `);
    const selector = name === 'id' && /^[a-z_][\w-]*$/i.test(value) ? `#${value}` : `[${name}="${escaped}"]`;
    if (findsOnly(root, selector, element)) return selector;
  }
  // These exist once in a page.
  return /^(body|main)$/.test(element.localName) && findsOnly(root, element.localName, element) ? element.localName : undefined;
}

/** The position is given also where the element has no sibling of its kind: one that is added later changes nothing then. */
function byPosition(element: Element): string {
  let position = 1;
  for (let at = element.previousElementSibling; at; at = at.previousElementSibling) if (at.localName === element.localName) position++;
  // Names such as Word's `o:p` need escaping.
  return `${element.localName.replace(/[^\w-]/g, '\\$&')}:nth-of-type(${position})`;
}

/** The prototype's getter: a form's field of that name would hide the property. */
const parentOf = (element: Element): Element | null => Reflect.get(Node.prototype, 'parentElement', element);

/**
 * Returns a selector that finds this element and no other: the nearest name that is unique in its tree, and positions
 * from there. Elements of shadow trees are found from host to host: `shop-card >>> :host > p:nth-of-type(1)`, each
 * piece within the shadow root of the previous match. It never has a value, so it contains nothing typed.
 */
export function selectorOf(element: Element): string | undefined {
  // An earlier listener has removed the element: no selector would find it.
  if (!element.isConnected) return undefined;
  const root = element.getRootNode() as Document | ShadowRoot;
  let path = '';
  for (let at: Element | null = element; at; at = parentOf(at)) {
    const name = byName(at, root);
    path = (name ?? byPosition(at)) + (path && ` > ${path}`);
    if (name) break;
    if (!parentOf(at) && 'host' in root) path = `:host > ${path}`;
  }
  if (!findsOnly(root, path, element)) return undefined;
  if (!('host' in root)) return path;
  const outer = selectorOf(root.host);
  return outer && `${outer} >>> ${path}`;
}
