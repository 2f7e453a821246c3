import { type Batch, openBatch } from './batch';
import type { Item } from './delivery-types';

/** The longest delay for a live viewer. Shorter, a busy page would make more requests. */
const BATCH_MS = 5_000;
/** An open batch is saved on disk again whenever it grows, so batches stay small. A snapshot gets its own batch. */
const BATCH_CHARACTERS = 100_000;
/** The server takes 10 MiB uncompressed; the rest is for the envelope. */
const MAX_BYTES = 10 * 1_024 * 1_024 - 1_024;
const MAX_BYTES_A_CHARACTER = 3;

export interface RecordBatches {
  /** Adds one rrweb event as JSON. Returns false where it is too large for any request. */
  push: (json: string) => boolean;
  /** Closes the open batch. */
  close: () => void;
}

const isTooLarge = (json: string): boolean =>
  json.length * MAX_BYTES_A_CHARACTER > MAX_BYTES && new TextEncoder().encode(json).length > MAX_BYTES;

/**
 * Gathers the rrweb events of one session. A batch is sent at the latest `BATCH_MS` after its first event; `send` also
 * gets it whenever it grows.
 */
export function createRecordBatches(sessionId: string, send: (batch: Item) => void): RecordBatches {
  let batch: Batch | undefined;
  let characters = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const close = (): void => {
    if (!batch) return;
    const full = batch;
    batch = undefined;
    clearTimeout(timer);
    full.open = false;
    send(full);
  };
  return {
    close,
    push(json) {
      if (isTooLarge(json)) return false;
      // The Meta event of a snapshot goes with it.
      if (batch && characters > BATCH_CHARACTERS / 2 && characters + json.length > BATCH_CHARACTERS) close();
      if (!batch) {
        batch = openBatch('/track/recording', sessionId);
        characters = 0;
        timer = setTimeout(close, BATCH_MS);
      }
      batch.append(json);
      characters += json.length + 1;
      if (characters >= BATCH_CHARACTERS) close();
      else send(batch);
      return true;
    },
  };
}
