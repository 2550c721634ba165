// Keeps the page up to date: when the server says that something this page
// shows has changed, the page is asked for again and its <main> put in place.
// Without this script every page still says all it knows; it just holds still.
const badge = document.querySelector(".live");
const main = document.querySelector("main");
let asking = false, again = false;
let shown = main.innerHTML; // as the server sent it: scripts may draw into the page

async function refresh() {
  if (asking) { again = true; return; }
  asking = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      put(page.querySelector("main"));
      document.title = page.title;
    }
  } finally {
    asking = false;
    if (again) { again = false; refresh(); }
  }
}

// What a person is doing survives: open folds, the focus, and a log that is
// scrolled to its end stays at its end.
function put(fresh) {
  if (!fresh || fresh.innerHTML === shown) return;
  shown = fresh.innerHTML;
  const open = new Set([...main.querySelectorAll("details[open][id]")].map((d) => d.id));
  const focus = document.activeElement?.id;
  const atEnd = innerHeight + scrollY >= document.body.scrollHeight - 40;
  main.replaceChildren(...fresh.childNodes);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
  if (atEnd && main.querySelector("[data-follow]")) scrollTo(0, document.body.scrollHeight);
}

if (badge && main.dataset.topics) {
  const events = new EventSource("/live?topics=" + encodeURIComponent(main.dataset.topics));
  events.onopen = () => { badge.textContent = "live"; badge.classList.add("on"); refresh(); };
  events.onerror = () => { badge.textContent = "not connected"; badge.classList.remove("on"); };
  events.onmessage = refresh;
}
