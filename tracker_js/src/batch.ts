import type { Item } from './delivery-types';
import { uuid } from './uuid';

/** Events of one session on their way to a path. */
export interface Batch extends Item {
  /** Adds one as JSON. */
  fill: (json: string) => void;
}

/**
 * Empty, and open. It has its name from the beginning, so that what is written ahead of it is a beginning of what is sent
 * (unless that has to be masked since).
 */
export function openBatch(path: string, sessionId: string): Batch {
  const batchId = uuid();
  let text = '';
  const batch: Batch = {
    path,
    events: 0,
    sessionId,
    open: true,
    fill(json) {
      text += (batch.events++ > 0 ? ',' : '') + json;
    },
    body: (sentAt) => `{"session_id":"${sessionId}","batch_id":"${batchId}","sent_at":"${sentAt}","events":[${text}]}`,
  };
  return batch;
}
