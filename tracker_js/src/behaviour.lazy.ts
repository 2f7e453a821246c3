import { initConsole } from './console-calls';
import type { PartContext } from './context';
import { initDeadClicks } from './dead-clicks';
import { initDoubleClicks } from './double-clicks';
import { initFocus } from './focus';
import { initForms } from './forms';
import { combineTeardowns, guard, type Teardown } from './guard';
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

/** What the core leaves to this part: all that a visitor does beside clicking and going from page to page, and how the page fares. */
export function start(context: PartContext): Teardown {
  const { options } = context;
  const teardowns: Teardown[] = [];
  /** One that cannot begin here must not keep the others from it. */
  const begin = (init: () => Teardown): void => {
    guard(() => {
      teardowns.push(init());
    })();
  };
  const { listenDeep, teardown } = watchShadowTrees();
  teardowns.push(teardown);
  for (const init of OBSERVERS) begin(() => init(context, listenDeep));

  const told: ((method: string, keepalive: boolean) => void)[] = [];
  for (const init of [initDeadClicks, initForms]) {
    begin(() => {
      const { teardown: end, onRequest } = init(context, listenDeep);
      told.push(onRequest);
      return end;
    });
  }
  if (options.network) {
    begin(() =>
      initNetwork(context, (method, keepalive) => {
        for (const onRequest of told) onRequest(method, keepalive);
      }),
    );
  }
  if (options.vitals) begin(() => initVitals(context));
  return combineTeardowns(teardowns);
}
