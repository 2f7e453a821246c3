/** Attributes that people put there to be found by. */
const TEST_ATTRIBUTES = ['data-testid', 'data-test', 'data-cy'];

/** Ids made by a framework at run time (`:r1:`, `radix-12`, `ember1234`, hashes) name another element after the next deploy. */
const GENERATED = /:|\d{4}|^(radix|headlessui|ember|mui|react|__)|[\da-f]{8}/i;

/** Its value must be matched, and is cut: a selector is a column, not a document. */
const MAX_NAME = 100;

/** `CSS.escape` is everywhere but in some embedded engines; there, what needs escaping is not used as a name. */
const escapeName = (name: string): string | undefined => {
  if (typeof CSS !== 'undefined' && typeof CSS.escape === 'function') return CSS.escape(name);
  return /^[a-z_][\w-]*$/i.test(name) ? name : undefined;
};

function byName(element: Element): string | undefined {
  for (const attribute of TEST_ATTRIBUTES) {
    const value = element.getAttribute(attribute);
    if (value && value.length <= MAX_NAME) return `[${attribute}="${value.replace(/["\\]/g, '\\$&').replace(/\n/g, '\\a ')}"]`;
  }
  const id = element.id;
  if (typeof id === 'string' && id && id.length <= MAX_NAME && !GENERATED.test(id)) {
    const escaped = escapeName(id);
    if (escaped) return `#${escaped}`;
  }
  return undefined;
}

function byPosition(element: Element): string {
  const tag = escapeName(element.localName) ?? '*';
  const parent = element.parentElement;
  if (!parent) return tag;
  let position = 0;
  let same = 0;
  for (const sibling of parent.children) {
    if (sibling.localName !== element.localName) continue;
    same++;
    if (sibling === element) position = same;
  }
  return same > 1 ? `${tag}:nth-of-type(${position})` : tag;
}

function isUnique(selector: string, root: ParentNode): boolean {
  try {
    return root.querySelectorAll(selector).length === 1;
  } catch {
    return false;
  }
}

/**
 * The shortest selector, from the element upwards, that finds this element and no other: a name that its authors gave
 * it or one of its ancestors, and positions from there. Never a value, so that nothing typed gets into it.
 */
export function selectorOf(element: Element): string | undefined {
  const root = element.getRootNode() as ParentNode;
  // Taken out of the page by an earlier listener: nothing would find it.
  if (!element.isConnected) return undefined;
  let path = '';
  for (let at: Element | null = element; at; at = at.parentElement) {
    const step = path === '' ? '' : ` > ${path}`;
    const name = byName(at);
    if (name !== undefined && isUnique(name + step, root)) return name + step;
    path = byPosition(at) + step;
    // A bare tag can be unique by chance today; one named step or three positions say more.
    if (path.split(' > ').length > 2 && isUnique(path, root)) return path;
  }
  return isUnique(path, root) ? path : undefined;
}
