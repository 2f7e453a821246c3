/** The states of the core. `enter` in core.ts does what belongs to each. */
export const enum State {
  /** The page requires consent, and the visitor has not given it. */
  WaitingForConsent,
  /** The part `policy` is being loaded, or asks the server for the project's rules. */
  WaitingForRules,
  /** The server has not answered within 250 ms: events are masked by the default rules and saved on disk, but not sent. */
  Provisional,
  /** The rules are known, or assumed after 3 s: events are sent, and the observing parts run. */
  Tracking,
  /** The project does not sample this session. The next session is decided anew. */
  Unsampled,
  /** The page called `stop()`, the server refused the key, or the policy could not be loaded. */
  Stopped,
  /** The visitor opted out, or the project honours the browser's privacy signal: unsent events are removed. */
  Erased,
}

/** What becomes of an event in a state. */
export const enum Events {
  /** Kept in memory, in order, until a state writes or drops it. */
  Hold,
  /** Masked, serialized and given to the delivery. */
  Write,
  Drop,
}

/** The life of the core: what each state does with events, and the states that may follow. Any other change is ignored. */
export const STATES: Record<State, { events: Events; next: State[] }> = {
  [State.WaitingForConsent]: { events: Events.Hold, next: [State.WaitingForRules, State.Stopped, State.Erased] },
  [State.WaitingForRules]: { events: Events.Hold, next: [State.Provisional, State.Tracking, State.Unsampled, State.Stopped, State.Erased] },
  [State.Provisional]: { events: Events.Write, next: [State.Tracking, State.Unsampled, State.Stopped, State.Erased] },
  [State.Tracking]: { events: Events.Write, next: [State.Tracking, State.Unsampled, State.Stopped, State.Erased] },
  [State.Unsampled]: { events: Events.Drop, next: [State.Tracking, State.Unsampled, State.Stopped, State.Erased] },
  // The outbox counts them as dropped.
  [State.Stopped]: { events: Events.Write, next: [State.Erased] },
  [State.Erased]: { events: Events.Drop, next: [] },
};
