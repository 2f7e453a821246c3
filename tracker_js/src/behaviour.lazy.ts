import { initConsole } from './console-calls';
import type { PartContext } from './context';
import { initDeadClicks } from './dead-clicks';
import { initDoubleClicks } from './double-clicks';
import { initFocus } from './focus';
import { initForms } from './forms';
import { combineTeardowns, type Teardown } from './guard';
import { initInputs } from './inputs';
import { initKeys } from './keys';
import { initMouseMoves } from './mouse-moves';
import { initNetwork } from './network';
import { initPageTime } from './page-time';
import { initResize } from './resize';
import { initResourceErrors } from './resource-errors';
import { initScrolls } from './scrolls';
import { watchShadowTrees } from './shadow-trees';
import { initVisibility } from './visibility';
import { initVitals } from './vitals';

const OBSERVERS = [initMouseMoves, initDoubleClicks, initScrolls, initInputs, initKeys, initFocus, initResize, initPageTime, initVisibility, initResourceErrors, initConsole];

/** All observers except those that the core starts at once (page views, clicks, errors). */
export function start(context: PartContext): Teardown {
  const { options, debug } = context;
  const teardowns: Teardown[] = [];
  /** An observer that cannot start here must not keep the others from starting. */
  const startObserver = (init: () => Teardown): void => {
    try {
      teardowns.push(init());
    } catch (error) {
      debug('an observer does not run:', error);
    }
  };
  const { listenDeep, teardown } = watchShadowTrees();
  teardowns.push(teardown);
  for (const init of OBSERVERS) startObserver(() => init(context, listenDeep));

  const onRequestCallbacks: ((method: string, keepalive: boolean) => void)[] = [];
  for (const init of [initDeadClicks, initForms]) {
    startObserver(() => {
      const { teardown: end, onRequest } = init(context, listenDeep);
      onRequestCallbacks.push(onRequest);
      return end;
    });
  }
  if (options.network) {
    startObserver(() =>
      initNetwork(context, (method, keepalive) => {
        for (const onRequest of onRequestCallbacks) onRequest(method, keepalive);
      }),
    );
  }
  if (options.vitals) startObserver(() => initVitals(context));
  return combineTeardowns(teardowns);
}
