import type { LoadPart } from './context';
import type { Delivery, DeliveryOptions, Item, Lane } from './delivery-types';
import type { createOutbox } from './outbox.lazy';
import { createRequests } from './requests';

/** While the outbox cannot be loaded. The oldest items are dropped first. */
const MAX_WAITING = 100;

/** Keeps items until the part `outbox` is loaded, which does all the work. When the page goes before that, sends what it can. */
export function createDelivery(options: DeliveryOptions, load: LoadPart): Delivery {
  const requests = createRequests(options);
  const waiting = new Map<Item, Lane>();
  let dropped = 0;
  let outbox: Delivery | undefined;
  let loading: Promise<void> | undefined;
  const loadOutbox = (): Promise<void> =>
    (loading ??= load('outbox').then(
      (part) => {
        outbox = (part as { createOutbox: typeof createOutbox }).createOutbox(options, requests);
        for (const [item, lane] of waiting) outbox.add(lane, item);
        waiting.clear();
      },
      (error: unknown) => {
        options.debug('no outbox:', error);
        loading = undefined;
      },
    ));
  void loadOutbox();
  return {
    add(lane, item) {
      if (outbox) {
        outbox.add(lane, item);
        return;
      }
      waiting.set(item, lane);
      if (!item.open) void loadOutbox();
      for (const old of waiting.keys()) {
        if (waiting.size <= MAX_WAITING) break;
        waiting.delete(old);
        dropped += old.events;
      }
    },
    leave(finish) {
      if (outbox) {
        outbox.leave(finish);
        return;
      }
      finish?.();
      for (const item of waiting.keys()) requests.postLast(item.path, item.body(new Date().toISOString()))?.catch(() => undefined);
    },
    async settled() {
      await loadOutbox();
      await outbox?.settled();
    },
    async clear(onlyOwn) {
      waiting.clear();
      if (!outbox) await loadOutbox();
      // Rejects where the outbox cannot be loaded.
      await (outbox as unknown as Delivery).clear(onlyOwn);
    },
    get dropped() {
      return dropped + (outbox?.dropped ?? 0);
    },
  };
}
