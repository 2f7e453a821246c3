import type { Delivery, Item } from './delivery';
import { utf8 } from './requests';
import { uuid } from './uuid';

/** From the issue that asked for the tracker: 50 events or 5 s, whichever comes first. */
const BATCH_EVENTS = 50;
const BATCH_MS = 5_000;
/** Three of these, with what is around the events, fit into the room that a page has for its last requests. */
const BATCH_BYTES = 19_500;

export interface Queue {
  /** Takes an event as JSON: it is told as it was now, whatever the page does with its objects later. */
  push: (sessionId: string, json: string) => void;
  /** Closes the batch that is being filled. */
  cut: () => void;
  /** Forgets it. */
  clear: () => void;
}

interface Batch extends Item {
  text: string;
  bytes: number;
}

/** Empty; its name is given now, so that what is written ahead of it is a beginning of what is sent. */
function openBatch(sessionId: string): Batch {
  const batchId = uuid();
  const batch: Batch = {
    path: '/track',
    events: 0,
    sessionId,
    open: true,
    text: '',
    bytes: 0,
    body: (sentAt) => `{"session_id":"${sessionId}","batch_id":"${batchId}","sent_at":"${sentAt}","events":[${batch.text}]}`,
  };
  return batch;
}

export function createQueue(delivery: Pick<Delivery, 'add'>): Queue {
  let batch: Batch | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const clear = (): void => {
    batch = undefined;
    clearTimeout(timer);
  };
  const cut = (): void => {
    if (!batch) return;
    const full = batch;
    clear();
    full.open = false;
    delivery.add('events', full);
  };
  return {
    cut,
    clear,
    push(sessionId, json) {
      const bytes = utf8(json) + 1;
      if (batch && (batch.sessionId !== sessionId || batch.bytes + bytes > BATCH_BYTES)) cut();
      if (!batch) {
        batch = openBatch(sessionId);
        timer = setTimeout(cut, BATCH_MS);
      }
      batch.text += (batch.events++ > 0 ? ',' : '') + json;
      batch.bytes += bytes;
      if (batch.events >= BATCH_EVENTS) cut();
      else delivery.add('events', batch);
    },
  };
}
