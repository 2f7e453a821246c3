/** Attributes that people put there to be found by. */
const NAMES = ['data-testid', 'data-test-id', 'data-test', 'data-cy', 'data-qa', 'id', 'name'];

/**
 * Names made at run time (`:r1:`, `_r_1_`, `radix-12`, `mat-input-3`, hashes) belong to another element after the next
 * load. One taken for such by mistake costs no more than a longer selector.
 */
const GENERATED =
  /^[:«]|^_r_|^j_|\d{4}|[\da-f]{8}|[a-z]\d+[a-z]+\d|^(radix|headlessui|ember|yui|downshift|__|v-\d|(mui|mat|cdk|react|rc|ext|el-id|ng)[-_])/i;

/** A selector is a column, not a document. */
const MAX_NAME = 100;

function finds(root: ParentNode, selector: string, element: Element): boolean {
  try {
    const found = root.querySelectorAll(selector);
    return found.length === 1 && found[0] === element;
  } catch {
    return false;
  }
}

function byName(element: Element, root: ParentNode): string | undefined {
  for (const name of NAMES) {
    const value = element.getAttribute(name);
    if (!value || value.length > MAX_NAME || GENERATED.test(value)) continue;
    const escaped = value.replace(/["\\]/g, '\\$&').replace(/[\n\r\f]/g, (end) => `\\${end.charCodeAt(0).toString(16)} `);
    const selector = name === 'id' && /^[a-z_][\w-]*$/i.test(value) ? `#${value}` : `[${name}="${escaped}"]`;
    if (finds(root, selector, element)) return selector;
  }
  // These stand once in a page.
  return /^(body|main)$/.test(element.localName) && finds(root, element.localName, element) ? element.localName : undefined;
}

/** Its place is told also where it has no sibling of its kind yet: one that is added behind it changes nothing then. */
function byPosition(element: Element): string {
  let position = 1;
  for (let at = element.previousElementSibling; at; at = at.previousElementSibling) if (at.localName === element.localName) position++;
  // Word's `o:p` is a name.
  return `${element.localName.replace(/[^\w-]/g, '\\$&')}:nth-of-type(${position})`;
}

/** Not what a form calls so: a field of that name would lead around in a circle. */
const parentOf = (element: Element): Element | null => Reflect.get(Node.prototype, 'parentElement', element);

/**
 * A selector that finds this element and no other: the nearest name that stands once in its tree, and positions from
 * there; never what is unique only by chance. Elements of shadow trees are found from host to host:
 * `shop-card >>> :host > p:nth-of-type(1)`, each piece within the shadow root of what was found before. Never a value,
 * so that nothing typed gets into it.
 */
export function selectorOf(element: Element): string | undefined {
  // Taken out of the page by an earlier listener: nothing would find it.
  if (!element.isConnected) return undefined;
  const root = element.getRootNode() as Document | ShadowRoot;
  let path = '';
  for (let at: Element | null = element; at; at = parentOf(at)) {
    const name = byName(at, root);
    path = (name ?? byPosition(at)) + (path && ` > ${path}`);
    if (name) break;
    if (!parentOf(at) && 'host' in root) path = `:host > ${path}`;
  }
  if (!finds(root, path, element)) return undefined;
  if (!('host' in root)) return path;
  const outer = selectorOf(root.host);
  return outer && `${outer} >>> ${path}`;
}
