// Records the page with rrweb, over the pages of a session. The driver says when a batch goes, twice or late.
window.recorder = (() => {
  const config = JSON.parse(new URLSearchParams(location.search).get('config'));
  const sender = senders[config.dialect](config);
  const before = JSON.parse(sessionStorage.getItem('recorder') ?? '{"recorded":[],"answers":[],"states":[],"clicks":0,"batches":0}');
  const told = { ...before };
  let waiting = [];
  let held = null;

  const take = () => {
    const batch = { events: waiting, number: ++told.batches };
    waiting = [];
    return batch;
  };
  const send = async ({ events, number }, leaving = false) => {
    const answer = await sender.events(events, number, leaving);
    told.answers.push({ call: 'events', count: events.length, ...answer });
  };
  const call = async (name) => {
    if (sender[name]) told.answers.push({ call: name, ...(await sender[name]()) });
  };

  addEventListener('click', () => (told.clicks += 1), true);
  rrwebRecord.record({
    emit: (event) => {
      told.recorded.push(event);
      waiting.push(event);
    },
    plugins: [rrwebPluginConsoleRecord.getRecordConsolePlugin()],
  });
  addEventListener('pagehide', () => {
    if (waiting.length) void send(take(), true);
    told.states.push(stateOf(document));
    sessionStorage.setItem('recorder', JSON.stringify(told));
  });

  return {
    told,
    call,
    flush: () => send(take()),
    flushTwice: async () => {
      const batch = take();
      await send(batch);
      await send(batch);
    },
    /** As two batches of one stretch of time. */
    flushInterleaved: async () => {
      const { events, number } = take();
      await send({ events: events.filter((_, index) => index % 2), number });
      await send({ events: events.filter((_, index) => index % 2 === 0), number: ++told.batches });
    },
    hold: () => (held = take()),
    release: () => send(held),
    state: () => told.states.push(stateOf(document)),
    has: (isWanted) => told.recorded.some(isWanted),
  };
})();
