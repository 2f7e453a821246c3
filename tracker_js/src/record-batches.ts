import { type Batch, openBatch } from './batch';
import type { Item } from './delivery-types';

/** How late a viewer may see what is going on, and how many requests a busy page makes. */
const BATCH_MS = 5_000;
/** What is not sent yet is written to disk again when something comes to it, so a full batch is not large; a snapshot makes one of its own. */
const BATCH_CHARACTERS = 100_000;
/** The server takes 10 MiB inflated; the rest is for the envelope. */
const MAX_BYTES = 10 * 1_024 * 1_024 - 1_024;
const MAX_BYTES_A_CHARACTER = 3;

export interface RecordBatches {
  /** One rrweb event as JSON. False: too large for any request. */
  push: (json: string) => boolean;
  /** Closes the batch that is being filled. */
  cut: () => void;
}

const isTooLarge = (json: string): boolean =>
  json.length * MAX_BYTES_A_CHARACTER > MAX_BYTES && new TextEncoder().encode(json).length > MAX_BYTES;

/** Gathers the events of one session; the first one of a batch decides when it goes. `send` gets a batch as it grows. */
export function createRecordBatches(sessionId: string, send: (batch: Item) => void): RecordBatches {
  let batch: Batch | undefined;
  let characters = 0;
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
      if (batch && characters > BATCH_CHARACTERS / 2 && characters + json.length > BATCH_CHARACTERS) cut();
      if (!batch) {
        batch = openBatch('/track/recording', sessionId);
        characters = 0;
        timer = setTimeout(cut, BATCH_MS);
      }
      batch.append(json);
      characters += json.length + 1;
      if (characters >= BATCH_CHARACTERS) cut();
      else send(batch);
      return true;
    },
  };
}
