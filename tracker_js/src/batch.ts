import type { Item } from './delivery-types';
import { uuid } from './uuid';

/** Events of one session for one path. */
export interface Batch extends Item {
  /** Appends one event as JSON. */
  append: (json: string) => void;
}

/**
 * Returns an open, empty batch. It has its id from the beginning: what is saved while it grows is a prefix of what is
 * sent, except where it has to be masked again. Until it is closed its body says that it is partial.
 */
export function openBatch(path: string, sessionId: string): Batch {
  const batchId = uuid();
  let text = '';
  const batch: Batch = {
    path,
    events: 0,
    sessionId,
    open: true,
    append(json) {
      text += (batch.events++ > 0 ? ',' : '') + json;
    },
    body: (sentAt) => `{"session_id":"${sessionId}","batch_id":"${batchId}","sent_at":"${sentAt}",${batch.open ? '"partial":true,' : ''}"events":[${text}]}`,
  };
  return batch;
}
