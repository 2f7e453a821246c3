// Runs on a page of the server: reads a session as a dashboard of a dialect does, and shows it in rrweb's player.
window.playback = (() => {
  const byTime = (one, two) => one.timestamp - two.timestamp;
  const readers = {
    v1: ({ session }) => [`/api/v1/sessions/${session}/recording`, (body) => body],
    spectra: ({ session }) => [`/api/sessions/${session}/replay`, (body) => body.events],
    // Snapshots are batches as they came, and two of them lie over the same stretch of time.
    uxcam: ({ session, projectId }) => [`/api/sessions/${projectId}/${session}`, (body) => body.snapshots.flatMap((it) => it.snapshot_data).sort(byTime)],
    reev: ({ session }) => [`/api/sessions/${session}/events`, (body) => body.events],
  };
  let events = [];
  let player = null;

  /** Fetches the events, and says whether they are those that were recorded. */
  const read = async (reader, source) => {
    const [path, eventsOf] = readers[reader](source);
    const response = await fetch(path, { headers: { 'X-API-Key': source.readKey } });
    const text = await response.text();
    if (!response.ok) throw new Error(`GET ${path} was answered ${response.status}: ${text.slice(0, 500)}`);
    const found = eventsOf(JSON.parse(text));
    const recorded = source.recorded;
    // This dialect counts from the beginning of the session: the base goes back on.
    const shift = reader === 'reev' ? recorded[0].timestamp - found[0].timestamp : 0;
    events = found.map((it) => ({ ...it, timestamp: it.timestamp + shift }));
    // Events of one millisecond come in order of arrival, and one batch was late.
    const lines = (list) => list.map(({ timestamp, type, data }) => JSON.stringify([timestamp, type, data])).sort();
    const [got, wanted] = [lines(events), lines(recorded)];
    return {
      encoding: response.headers.get('content-encoding'),
      count: found.length,
      in_order: found.every((it, index) => index === 0 || found[index - 1].timestamp <= it.timestamp),
      first_time: found[0].timestamp,
      difference: wanted.length === got.length ? (wanted.map((line, index) => [line, got[index]]).find(([one, two]) => one !== two) ?? null) : [wanted.length, got.length],
    };
  };

  const open = () => {
    player?.$destroy();
    document.body.replaceChildren();
    player = new rrwebPlayer.Player({ target: document.body, props: { events, width: 800, height: 600, autoPlay: false, showController: false } });
    return player.getReplayer();
  };
  const state = () => stateOf(document.querySelector('.replayer-wrapper iframe').contentDocument);

  /** What the replay shows after everything up to that time has happened. */
  const seek = (time) => {
    // What happens in the millisecond that is sought to is not shown yet.
    open().pause(time - events[0].timestamp + 1);
    return state();
  };
  /** What the replay shows after it was played from its beginning to its end. */
  const play = () =>
    new Promise((resolve) => {
      const replayer = open();
      replayer.setConfig({ speed: 8 });
      replayer.on('finish', () => resolve(state()));
      replayer.play();
    });

  return { read, seek, play };
})();
