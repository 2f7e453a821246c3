import type { PartContext, Teardown } from './types';
import { initConsole } from './console';
import { initDblclicks } from './dblclicks';
import { initDeadClicks } from './dead';
import { initFocus } from './focus';
import { initForms } from './forms';
import { all, guard } from './guard';
import { initInputs } from './inputs';
import { initKeys } from './keys';
import { initMoves } from './moves';
import { initNetwork } from './network';
import { initPageTime } from './pagetime';
import { initResize } from './resize';
import { initResources } from './resources';
import { initScrolls } from './scrolls';
import { watchShadows } from './shadows';
import { initVisibility } from './visibility';
import { initVitals } from './vitals';

const OBSERVERS = [initMoves, initDblclicks, initScrolls, initInputs, initKeys, initFocus, initResize, initPageTime, initVisibility, initResources, initConsole];

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
  const { listenDeep, teardown } = watchShadows();
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
  return all(teardowns);
}
