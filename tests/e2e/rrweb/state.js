// What of a document must be the same on the recorded page and in its replay.
window.stateOf = (page) => {
  const all = (selector) => [...page.querySelectorAll(selector)];
  // A replay marks what the mouse is over by a class of this name.
  const classes = (it) => [...it.classList].filter((name) => name !== ':hover').join(' ');
  return {
    text: page.body.innerText.replace(/\s+/g, ' ').trim(),
    texts: all('body *:not(:has(*))').map((it) => it.textContent.trim()),
    shadows: all('body *').flatMap((it) => (it.shadowRoot ? [it.shadowRoot.textContent] : [])),
    fields: all('input, select, textarea').map((it) => [it.id, it.value, it.checked === true, it.disabled]),
    attributes: all('body [id]').map((it) => [it.id, classes(it), it.title, it.dataset.state ?? '', it.style.color]),
    open: all('details, dialog').map((it) => [it.id, it.open]),
    scrolled: all('#scroller').map((it) => it.scrollTop),
  };
};
