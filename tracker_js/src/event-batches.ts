import { type Batch, openBatch } from './batch';
import type { Delivery } from './delivery-types';
import { utf8 } from './requests';

/** From the issue that asked for the tracker: 50 events or 5 s, whichever comes first. */
const BATCH_EVENTS = 50;
const BATCH_MS = 5_000;
/** Three of these, with what is around the events, fit into the room that a page has for its last requests. */
const BATCH_BYTES = 19_500;

export interface EventBatches {
  /** Takes an event as JSON: it is told as it was now, whatever the page does with its objects later. */
  push: (sessionId: string, json: string) => void;
  /** Closes the batch that is being filled. */
  close: () => void;
  /** Forgets it. */
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
      batch.fill(json);
      bytes += more;
      if (batch.events >= BATCH_EVENTS) close();
      else delivery.add('events', batch);
    },
  };
}
