import type { Item } from './delivery';
import { uuid } from './uuid';

/** How late a viewer may see what is going on, and how many requests a busy page makes. */
const BATCH_MS = 5_000;
/** What is not sent yet is written to disk again when something comes to it, so a full batch is not large; a snapshot makes one of its own. */
const BATCH_CHARACTERS = 100_000;
/** The server takes 10 MiB inflated; the rest is for the envelope. */
const MAX_BYTES = 10 * 1_024 * 1_024 - 1_024;
const MAX_BYTES_A_CHARACTER = 3;

export interface Batches {
  /** One rrweb event as JSON. False: too large for any request. */
  push: (json: string) => boolean;
  /** Closes the batch that is being filled. */
  cut: () => void;
}

interface Batch extends Item {
  text: string;
}

const isTooLarge = (json: string): boolean =>
  json.length * MAX_BYTES_A_CHARACTER > MAX_BYTES && new TextEncoder().encode(json).length > MAX_BYTES;

/** Its name is given now, so that what is written ahead of it is a beginning of what is sent. */
function openBatch(sessionId: string): Batch {
  const batchId = uuid();
  const batch: Batch = {
    path: '/track/recording',
    events: 0,
    sessionId,
    open: true,
    text: '',
    body: (sentAt) => `{"session_id":"${sessionId}","batch_id":"${batchId}","sent_at":"${sentAt}","events":[${batch.text}]}`,
  };
  return batch;
}

/** Gathers the events of one session; the first one of a batch decides when it goes. `send` gets a batch as it grows. */
export function createBatches(sessionId: string, send: (batch: Item) => void): Batches {
  let batch: Batch | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const cut = (): void => {
    if (!batch) return;
    const full = batch;
    batch = undefined;
    clearTimeout(timer);
    full.open = false;
    send(full);
  };
  return {
    cut,
    push(json) {
      if (isTooLarge(json)) return false;
      // The Meta event of a snapshot goes with it.
      if (batch && batch.text.length > BATCH_CHARACTERS / 2 && batch.text.length + json.length > BATCH_CHARACTERS) cut();
      if (!batch) {
        batch = openBatch(sessionId);
        timer = setTimeout(cut, BATCH_MS);
      }
      batch.text += (batch.events++ > 0 ? ',' : '') + json;
      if (batch.text.length >= BATCH_CHARACTERS) cut();
      else send(batch);
      return true;
    },
  };
}
