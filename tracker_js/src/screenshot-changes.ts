import { combineTeardowns, guard, listen, type Teardown } from './guard';

export interface Changes {
  /** Whether the page may look different than when `reset` was called. */
  readonly hasChanged: boolean;
  /** Starts to watch for changes. */
  reset: () => void;
  stop: Teardown;
}

/** Elements that change without a mutation, as shadow trees do. */
const MOVING = 'canvas,video,iframe';
const isMoving = (): boolean =>
  document.querySelector(MOVING) !== null ||
  (document.getAnimations?.().length ?? 0) > 0 ||
  [...document.querySelectorAll('*')].some(({ shadowRoot }) => shadowRoot !== null);

/** Screenshot engines put hidden elements into the body while they draw. */
const isUnseen = (node: Node): boolean => node.nodeType === Node.ELEMENT_NODE && (node as HTMLElement).style?.visibility === 'hidden';

const isVisibleChange = ({ type, target, addedNodes, removedNodes }: MutationRecord): boolean => {
  // Within a removed element: the mutation of its parent counts.
  if (!target.isConnected) return false;
  if (target === document.body) return type !== 'childList' || [...addedNodes, ...removedNodes].some((node) => !isUnseen(node));
  let top = target;
  while (top.parentNode && top.parentNode !== document.body) top = top.parentNode;
  return !isUnseen(top);
};

/** Watches for the first change only. */
export function watchChanges(): Changes {
  let hasChanged = true;
  const change = (): void => {
    hasChanged = true;
    observer?.disconnect();
  };
  // Without it every page counts as changed.
  const observer =
    typeof MutationObserver === 'function'
      ? new MutationObserver(
          guard((records: MutationRecord[]) => {
            if (records.some(isVisibleChange)) change();
          }),
        )
      : undefined;
  return {
    get hasChanged() {
      if (observer?.takeRecords().some(isVisibleChange)) change();
      return hasChanged || isMoving();
    },
    reset() {
      hasChanged = !observer;
      observer?.disconnect();
      observer?.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
    },
    stop: combineTeardowns([
      () => {
        hasChanged = true;
        observer?.disconnect();
      },
      listen(document, 'input', change),
      listen(document, 'change', change),
      // An image or a style sheet that was loaded late.
      listen(document, 'load', change),
      listen(window, 'resize', change),
    ]),
  };
}
