/* A page that is opened as a file may not fetch others, so the search takes its excerpts from
   texts.js, which holds the text of every page. On a server nothing changes. */
if (location.protocol === "file:" && location.pathname.endsWith("/search.html")) {
  const script = document.createElement("script");
  script.src = new URL("_static/texts.js", location.href).href;
  const loaded = new Promise((done) => { script.onload = script.onerror = done; });
  document.head.append(script);
  const escape = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  window.fetch = async (address) => {
    await loaded;
    const base = new URL(".", location.href).href;
    const name = new URL(address, base).href.replace(base, "").replace(/[?#].*/, "");
    const text = (window.BOOK_TEXTS || {})[name] || "";
    return { text: async () => text && `<div role="main"><p>${escape(text)}</p></div>` };
  };
}
