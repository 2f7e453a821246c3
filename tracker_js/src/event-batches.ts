import { type Batch, openBatch } from './batch';
import type { Delivery } from './delivery-types';
import { utf8 } from './requests';

/** Whichever comes first. */
const BATCH_EVENTS = 50;
const BATCH_MS = 5_000;
/** Three of these, with what surrounds the events, fit into the last requests of a page. */
const BATCH_BYTES = 19_500;

export interface EventBatches {
  /** Adds an event as JSON, so that later changes of the page's objects do not matter. */
  push: (sessionId: string, json: string) => void;
  /** Closes the open batch. */
  close: () => void;
  /** Discards the open batch. */
  clear: () => void;
}

export function createEventBatches(delivery: Pick<Delivery, 'add'>): EventBatches {
  let batch: Batch | undefined;
  let bytes = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const clear = (): void => {
    batch = undefined;
    clearTimeout(timer);
  };
  const close = (): void => {
    if (!batch) return;
    const full = batch;
    clear();
    full.open = false;
    delivery.add('events', full);
  };
  return {
    close,
    clear,
    push(sessionId, json) {
      const more = utf8(json) + 1;
      if (batch && (batch.sessionId !== sessionId || bytes + more > BATCH_BYTES)) close();
      if (!batch) {
        batch = openBatch('/track', sessionId);
        bytes = 0;
        timer = setTimeout(close, BATCH_MS);
      }
      batch.append(json);
      bytes += more;
      if (batch.events >= BATCH_EVENTS) close();
      else delivery.add('events', batch);
    },
  };
}
