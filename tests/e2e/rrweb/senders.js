// How a tracker of each dialect sends: a sender has `events`, and what its session begins and ends with.
// All that is answered is kept, so that the test can look at it.
window.senders = (() => {
  const post = async (address, body, headers, leaving) => {
    // keepalive outlives the page, within 64 KB.
    const request = { method: 'POST', body: JSON.stringify(body), keepalive: leaving, headers: { 'Content-Type': 'application/json', ...headers } };
    const response = await fetch(address, request);
    return { status: response.status, body: response.status === 204 ? null : await response.json() };
  };
  const base64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
  const screenSize = () => ({ width: screen.width, height: screen.height });
  const viewport = () => ({ width: innerWidth, height: innerHeight });

  const v1 = ({ server, writeKey, session }) => {
    const key = { 'X-API-Key': writeKey };
    return {
      events: (events, number, leaving) =>
        post(`${server}/api/v1/track/recording`, { session_id: session, events, batch_id: `batch-${number}`, sent_at: Date.now() }, key, leaving),
    };
  };

  const spectra = ({ server, writeKey, session }) => {
    const key = { 'X-API-Key': writeKey };
    const stats = { eventCount: 1, errorCount: 0, clickCount: 0 };
    const packed = (events, number) => {
      const text = JSON.stringify(events);
      if (number % 4 === 3) return events;
      if (number % 4 === 0) return { compressed: false, data: events };
      return { compressed: true, data: base64(number % 4 === 1 ? pako.deflate(text) : pako.gzip(text)) };
    };
    return {
      start: () => {
        const metadata = { url: location.href, referrer: document.referrer, userAgent: navigator.userAgent, screen: { ...screenSize(), colorDepth: screen.colorDepth }, viewport: viewport(), language: navigator.language, platform: navigator.platform };
        return post(`${server}/api/sessions/start`, { sessionId: session, userId: 'ada', appId: 'kites', startTime: Date.now(), metadata }, key);
      },
      events: (events, number, leaving) => {
        const metadata = { timestamp: Date.now(), eventCount: events.length, customEventCount: 0, errorCount: 0 };
        return post(`${server}/api/sessions/${session}/events`, { sessionId: session, userId: 'ada', appId: 'kites', events: packed(events, number), customEvents: [], errors: [], metadata }, key, leaving);
      },
      heartbeat: () => post(`${server}/api/sessions/${session}/heartbeat`, { timestamp: Date.now(), stats }, key),
      end: () => post(`${server}/api/sessions/${session}/end`, { endTime: Date.now(), stats }, key),
    };
  };

  const incuera = ({ server, writeKey, session }) => {
    const key = { 'X-API-Key': writeKey };
    return {
      start: () => {
        const metadata = { url: location.href, referrer: document.referrer, userAgent: navigator.userAgent, screen: screenSize(), viewport: viewport(), timestamp: Date.now() };
        return post(`${server}/api/sessions/start`, { sessionId: session, userId: 'ada', userEmail: 'ada@example.org', metadata }, key);
      },
      events: (events, _number, leaving) => post(`${server}/api/ingest`, { sessionId: session, events, timestamp: Date.now() }, key, leaving),
    };
  };

  const uxcam = ({ server, publicKey, session }) => {
    const encodings = [LZString.compress, LZString.compressToUTF16, LZString.compressToBase64, LZString.compressToEncodedURIComponent, (text) => text, JSON.parse];
    return {
      events: (events, number, leaving) => {
        const snapshots = encodings[(number - 1) % encodings.length](JSON.stringify(events));
        const device = { userAgent: navigator.userAgent, screen: screenSize() };
        return post(`${server}/api/snapshots/ingest`, { sdk_key: publicKey, session_id: session, snapshots, snapshot_count: events.length, is_initial_snapshot: number === 1, device_info: device }, {}, leaving);
      },
    };
  };

  const reev = ({ server, publicKey: projectId, session }) => ({
    // A text is sent as text/plain; what the server answers, only the driver sees.
    events: async (events) => ({ taken: navigator.sendBeacon(`${server}/events`, JSON.stringify({ sessionId: session, projectId, events })) }),
  });

  return { v1, spectra, incuera, uxcam, reev };
})();
