// The menu of a grid's cell: opened by the secondary button of a pointer, by the
// menu key or Shift and F10, and by a finger that stays. Arrow keys walk it,
// Escape and Tab leave it, and the grid has the focus again.
const LONG = 500; // milliseconds that a finger stays

export class CellMenu {
  constructor(grid) {
    this.grid = grid;
    this.box = document.createElement("div");
    this.box.className = "menu";
    this.box.hidden = true;
    this.box.setAttribute("role", "menu");
    this.box.setAttribute("aria-label", "What can be done with this cell");
    grid.append(this.box);
    const frame = grid.frame;
    frame.addEventListener("contextmenu", (e) => this.asked(e));
    frame.addEventListener("pointerdown", (e) => this.touched(e));
    // A finger that stayed and is lifted clicks on nothing.
    frame.addEventListener("touchend", (e) => { if (this.opened) e.preventDefault(); this.opened = false; });
    for (const name of ["pointerup", "pointercancel", "pointerleave"]) frame.addEventListener(name, () => clearTimeout(this.finger));
    frame.addEventListener("pointermove", (e) => { if (this.from && Math.hypot(e.clientX - this.from.x, e.clientY - this.from.y) > 8) clearTimeout(this.finger); });
    frame.addEventListener("scroll", () => { clearTimeout(this.finger); this.close(false); }, { passive: true });
    this.box.addEventListener("keydown", (e) => this.walk(e));
    this.box.addEventListener("focusout", (e) => { if (!this.box.contains(e.relatedTarget)) this.close(false); });
    this.box.addEventListener("click", (e) => { if (!e.target.closest("button")) this.close(false); });
  }

  // A pointer asks where it is; a key where the reader is.
  asked(e) {
    const at = this.grid.find(e);
    if (!at || at.row < 0) return;
    if (this.open(at, e.clientX, e.clientY)) e.preventDefault();
  }

  key(e) {
    if (e.key !== "ContextMenu" && !(e.key === "F10" && e.shiftKey)) return false;
    const { x, y } = this.grid.place(this.grid.at);
    if (this.open(this.grid.at, x, y)) e.preventDefault();
    return true;
  }

  touched(e) {
    clearTimeout(this.finger);
    this.opened = false;
    if (e.pointerType !== "touch") return;
    this.from = { x: e.clientX, y: e.clientY };
    const at = this.grid.find(e);
    if (at && at.row >= 0) this.finger = setTimeout(() => { this.opened = this.open(at, e.clientX, e.clientY); }, LONG);
  }

  open(at, x, y) {
    const offers = this.grid.offers(at);
    if (!offers.length) return false;
    this.box.replaceChildren(...offers.map((o) => this.entry(o)));
    this.grid.hide();
    this.grid.at = { row: at.row, column: Math.max(0, at.column) };
    this.box.hidden = false;
    const out = this.grid.getBoundingClientRect(), zoom = out.width / this.grid.offsetWidth || 1;
    const within = (n, most) => Math.max(4, Math.min(n, most));
    this.box.style.left = `${within((x - out.left) / zoom, this.grid.offsetWidth - this.box.offsetWidth - 4)}px`;
    this.box.style.top = `${within((y - out.top) / zoom, (innerHeight - out.top) / zoom - this.box.offsetHeight - 4)}px`;
    this.box.firstElementChild.focus({ preventScroll: true });
    return true;
  }

  entry({ label, link, copy }) {
    const e = document.createElement(copy ? "button" : "a");
    e.textContent = label;
    e.setAttribute("role", "menuitem");
    e.tabIndex = -1;
    if (link) e.href = link;
    if (copy) { e.type = "button"; e.addEventListener("click", () => this.copy(copy)); }
    return e;
  }

  // Where a page may not write to the clipboard, the address is shown.
  async copy(address) {
    this.close(true);
    const said = this.grid.chosen;
    said.hidden = false;
    try {
      await navigator.clipboard.writeText(address);
      said.textContent = "The link is copied.";
    } catch {
      const a = document.createElement("a");
      a.href = a.textContent = address;
      said.replaceChildren("Here is the link: ", a);
    }
    this.grid.say.textContent = said.textContent;
  }

  walk(e) {
    const all = [...this.box.children], at = all.indexOf(document.activeElement), last = all.length - 1;
    const to = { ArrowDown: at < last ? at + 1 : 0, ArrowUp: at > 0 ? at - 1 : last, Home: 0, End: last }[e.key];
    if (to !== undefined) all[to].focus();
    else if (e.key === "Escape" || e.key === "Tab") this.close(true);
    else if (e.key === " ") document.activeElement.click();
    else return;
    e.preventDefault();
    e.stopPropagation();
  }

  close(back) {
    if (this.box.hidden) return;
    this.box.hidden = true;
    if (back) this.grid.frame.focus({ preventScroll: true });
  }
}
