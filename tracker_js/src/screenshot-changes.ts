import { combineTeardowns, guard, listen, type Teardown } from './guard';

export interface Changes {
  /** Whether something may look different than when `arm` was called. */
  readonly seen: boolean;
  /** From now on. */
  arm: () => void;
  stop: Teardown;
}

/** They change without a trace in the document, as shadow trees do. */
const MOVING = 'canvas,video,iframe';
const isMoving = (): boolean =>
  document.querySelector(MOVING) !== null ||
  (document.getAnimations?.().length ?? 0) > 0 ||
  [...document.querySelectorAll('*')].some(({ shadowRoot }) => shadowRoot !== null);

/** What engines put into the page's body while they draw is not seen by anybody. */
const isUnseen = (node: Node): boolean => node.nodeType === Node.ELEMENT_NODE && (node as HTMLElement).style?.visibility === 'hidden';

const counts = ({ type, target, addedNodes, removedNodes }: MutationRecord): boolean => {
  // Within what was taken out again: where it was taken from says so.
  if (!target.isConnected) return false;
  if (target === document.body) return type !== 'childList' || [...addedNodes, ...removedNodes].some((node) => !isUnseen(node));
  let top = target;
  while (top.parentNode && top.parentNode !== document.body) top = top.parentNode;
  return !isUnseen(top);
};

/** Looks for the first change only: one is as good as a thousand. */
export function watchChanges(): Changes {
  let seen = true;
  const change = (): void => {
    seen = true;
    observer.disconnect();
  };
  const observer = new MutationObserver(
    guard((records: MutationRecord[]) => {
      if (records.some(counts)) change();
    }),
  );
  return {
    get seen() {
      if (observer.takeRecords().some(counts)) change();
      return seen || isMoving();
    },
    arm() {
      seen = false;
      observer.disconnect();
      observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
    },
    stop: combineTeardowns([
      () => {
        seen = true;
        observer.disconnect();
      },
      listen(document, 'input', change),
      listen(document, 'change', change),
      // Of an image or a style sheet that came late.
      listen(document, 'load', change),
      listen(window, 'resize', change),
    ]),
  };
}
