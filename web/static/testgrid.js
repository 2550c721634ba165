// Addresses as TestGrid has them name a tab behind the #, and options behind the
// tab: DASHBOARD#TAB&include-filter-by-regex=X&width=20. No server sees that part,
// so it is read here; the page of the grid understands the options themselves.
// Without this script the address leads to the tab's line on its dashboard.
const plain = (text) => text.toLowerCase().replace(/[^a-z0-9]/g, "");
const decoded = (text) => { try { return decodeURIComponent(text); } catch { return text; } };

function follow() {
  const [first, ...options] = location.hash.slice(1).split("&");
  const name = decoded(first);
  if (!plain(name) || name === "main") return;
  const line = [...document.querySelectorAll("[data-name]")].find((l) => plain(l.dataset.name) === plain(name));
  if (line) {
    const to = new URL(line.querySelector("a[href]").href);
    to.search = options.filter(Boolean).map((o) => o.replaceAll("+", "%2B")).join("&"); // there a plus sign is one
    location.replace(to);
  } else if (plain(name) !== "summary" && !document.getElementById(name)) {
    const note = document.querySelector("[data-missing]");
    note.textContent = note.dataset.missing.replace("NAME", () => name);
    note.hidden = false;
  }
}

addEventListener("hashchange", follow);
follow();
