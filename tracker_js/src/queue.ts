import type { Item, Outbox } from './outbox';
import { uuid } from './uuid';

/** From the issue that asked for the tracker: 50 events or 5 s, whichever comes first. */
const BATCH_EVENTS = 50;
const BATCH_MS = 5_000;
/** Half of what may be in flight when a page goes, so that a full batch never stands in the way of the rest. */
const BATCH_BYTES = 30_000;

export interface Queue {
  /** Takes an event as JSON: it is told as it was now, whatever the page does with its objects later. */
  push: (sessionId: string, json: string) => void;
  /** Hands on what has been gathered. */
  cut: () => void;
}

function batch(sessionId: string, events: string[]): Item {
  const batchId = uuid();
  const half = Math.ceil(events.length / 2);
  const item: Item = {
    path: '/track',
    events: events.length,
    body: (sentAt) => `{"session_id":"${sessionId}","batch_id":"${batchId}","sent_at":"${sentAt}","events":[${events.join(',')}]}`,
  };
  if (events.length > 1) item.split = () => [batch(sessionId, events.slice(0, half)), batch(sessionId, events.slice(half))];
  return item;
}

export function createQueue(outbox: Pick<Outbox, 'add'>): Queue {
  let events: string[] = [];
  let bytes = 0;
  let owner = '';
  let timer: ReturnType<typeof setTimeout> | undefined;

  const cut = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (events.length === 0) return;
    const full = events;
    events = [];
    bytes = 0;
    outbox.add(batch(owner, full));
  };
  return {
    cut,
    push(sessionId, json) {
      if (sessionId !== owner || bytes + json.length > BATCH_BYTES) cut();
      owner = sessionId;
      events.push(json);
      bytes += json.length;
      if (events.length >= BATCH_EVENTS) cut();
      else timer ??= setTimeout(cut, BATCH_MS);
    },
  };
}
