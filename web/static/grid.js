// Draws a grid of results on a canvas: only what is visible, so that thousands
// of rows scroll as easily as ten. The page holds the first rows as data and as
// a table; without this script the table stays, and is paged by links.
//
// A cell is always a colour and a shape or letter. What a pointer shows, the
// arrow keys show too, and a hidden row of a grid tells it to screen readers.
import { CellMenu } from "./menu.js";

const PAGE = 200; // rows asked for at a time
const KEPT = 12; // pages of rows that are kept: those farthest away are let go, and asked for again
const FETCHES = 3; // pages asked for at the same time
const DAY = 22, EXTRA = 18, BUILD = 70, ROW = 20, GAP = 1, PAD = 12;
const KIND = { 0: "none", 1: "pass", 2: "pass", 3: "skip", 4: "run", 6: "idle", 7: "idle", 8: "idle", 9: "fail", 10: "fail", 11: "fail", 12: "fail", 13: "flake", 14: "fail", 15: "pass" };
const WORD = { 0: "no result", 1: "passed", 2: "passed with errors", 3: "skipped", 4: "running", 5: "aborted", 6: "unknown", 7: "cancelled", 8: "blocked", 9: "timed out", 10: "failed", 11: "build failed", 12: "failed", 13: "flaky", 14: "tool failed", 15: "built" };
const LETTER = { pass: "", skip: "S", run: "R", idle: "?", fail: "F", flake: "½", none: "" };
const TOKENS = ["surface", "sunk", "line", "ink", "ink-2", "ink-3", "deep", "deep-soft", "pass", "pass-soft", "fail", "fail-soft", "flake", "flake-soft"];
const places = new Map(); // where a reader was, by address: the page may be put in place anew

const clamp = (n, low, high) => Math.max(low, Math.min(high, n));
const dated = (text) => text && !text.startsWith("0001-"); // a build may not say when it began
const stamp = (text) => dated(text) ? text.replace("T", " ").slice(0, 16) + " UTC" : "no date";
const day = (text) => dated(text) ? new Date(text).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" }) : "–";
function make(tag, name, ...children) {
  const e = document.createElement(tag);
  if (name) e.className = name;
  e.append(...children);
  return e;
}

// Cells come run-length encoded, notes only where there is something to say.
function unpack(row, view, alert) {
  const cells = new Uint8Array(view.columns.length), notes = new Map(), n = row.notes ?? [];
  let at = 0;
  for (let i = 0; i + 1 < row.runs.length; i += 2) cells.fill(row.runs[i], at, at += row.runs[i + 1]);
  for (let i = 0; i + 2 < n.length; i += 3) notes.set(n[i], { icon: view.texts[n[i + 1]], message: n[i + 2] < 0 ? "The message is with the run." : view.texts[n[i + 2]] });
  return { name: row.name, alert, cells, notes };
}

class ResultGrid extends HTMLElement {
  connectedCallback() {
    const first = this.querySelector('script[type="application/json"]');
    if (!first || this.frame) return;
    this.data = JSON.parse(first.textContent);
    this.columns = this.data.view.columns;
    this.headers = this.data.view.headers ?? [];
    this.groups = this.data.groups ?? [];
    this.closed = new Set();
    this.pages = new Set();
    this.asked = 0;
    this.rows = [];
    this.take(this.data);
    this.arrange();
    this.width = clamp(this.data.width || 20, 4, 80);
    this.at = { row: 0, column: 0 };
    this.picked = [];
    this.build();
    this.classList.add("drawn");
    this.colours();
    this.measure();
    this.back();
  }

  disconnectedCallback() {
    if (!this.frame) return;
    places.set(location.href, { left: this.frame.scrollLeft, top: this.frame.scrollTop, at: this.at, picked: this.picked, cursor: this.cursor });
    this.watch.disconnect();
    this.dark.removeEventListener("change", this.onscheme);
    this.stop?.abort();
  }

  build() {
    const d = this.data;
    this.canvas = make("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.space = make("div", "space", this.canvas);
    this.space.setAttribute("role", "presentation");
    this.head = make("span"); this.head.setAttribute("role", "rowheader");
    this.cell = make("span"); this.cell.setAttribute("role", "gridcell"); this.cell.id = this.id + "-at";
    this.spoken = make("div", "unseen", this.head, this.cell);
    this.spoken.setAttribute("role", "row");
    this.frame = make("div", "sheet", this.space, this.spoken);
    for (const [k, v] of Object.entries({ role: "grid", tabindex: 0, id: this.id + "-sheet", "aria-label": d.label, "aria-rowcount": this.lines + 1, "aria-colcount": this.columns.length + 1, "aria-activedescendant": this.cell.id, "aria-describedby": this.id + "-keys", "aria-readonly": "true" })) this.frame.setAttribute(k, v);
    this.tip = make("div", "tip"); this.tip.hidden = true;
    this.say = make("div", "unseen"); this.say.setAttribute("role", "status");
    this.chosen = make("p", "chosen"); this.chosen.hidden = true;
    this.keys = make("p", "unseen", "Arrow keys move from cell to cell, Page Up and Page Down by a screen, Home and End along a row. Enter opens the run, the menu key (or Shift and F10) all that can be done with a cell. In the row of builds Enter picks a build, and a second one shows the commits between. Escape hides what is shown.");
    this.keys.id = this.id + "-keys";
    this.append(this.chosen, this.frame, this.tip, this.say, this.keys);
    this.ink = this.canvas.getContext("2d", { alpha: false });
    this.frame.addEventListener("scroll", () => { this.follow(); this.draw(); }, { passive: true });
    this.frame.addEventListener("pointermove", (e) => this.hover(e));
    this.frame.addEventListener("pointerleave", () => { this.over = null; this.hide(); this.draw(); });
    this.frame.addEventListener("click", (e) => this.click(e));
    this.frame.addEventListener("auxclick", (e) => e.button === 1 && this.click(e));
    this.frame.addEventListener("keydown", (e) => this.key(e));
    this.frame.addEventListener("focus", () => { this.cursor = this.frame.matches(":focus-visible"); if (this.cursor) this.show(this.at); this.draw(); });
    this.frame.addEventListener("blur", () => { this.cursor = false; this.hide(); this.draw(); });
    this.menu = new CellMenu(this);
    this.watch = new ResizeObserver(() => { this.measure(); this.draw(); });
    this.watch.observe(this);
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.onscheme = () => { this.colours(); this.draw(); };
    this.dark.addEventListener("change", this.onscheme);
    document.fonts?.ready.then(() => { this.measure(); this.draw(); });
  }

  // The page may have been replaced while somebody was reading.
  back() {
    const place = places.get(location.href);
    if (place) {
      ({ at: this.at, picked: this.picked } = place);
      this.frame.scrollTo(place.left, place.top);
      this.tell();
    } else if (this.data.at) this.point(...this.data.at);
    this.draw();
  }

  // The cell that the address names is shown as if it had been walked to.
  point(row, column) {
    const line = this.map ? this.map.indexOf(row) : row;
    this.at = { row: clamp(line, 0, this.lines - 1), column };
    this.cursor = true;
    this.frame.scrollTop = Math.max(0, this.at.row * ROW - (this.seen.height - this.top) / 3);
    this.into();
    this.scrollIntoView({ block: "nearest" });
    this.show(this.at);
  }

  colours() {
    const probe = make("i");
    this.append(probe);
    this.colour = {};
    for (const name of TOKENS) {
      probe.style.color = `var(--${name})`;
      this.colour[name] = getComputedStyle(probe).color;
    }
    const style = getComputedStyle(this);
    this.sans = style.getPropertyValue("--sans");
    this.mono = style.getPropertyValue("--mono");
    this.fonts = { letter: `600 11px ${this.sans}`, small: `600 9px ${this.sans}` };
    probe.remove();
  }

  measure() {
    const wide = this.clientWidth, c = this.ink;
    if (!wide) return;
    c.font = `500 12.5px ${this.sans}`;
    let widest = 120;
    for (const r of this.rows) if (r) widest = Math.max(widest, c.measureText(r.name).width + 2 * PAD);
    this.names = Math.ceil(clamp(widest, 96, Math.max(120, Math.min(460, wide * (wide < 500 ? 0.54 : 0.42)))));
    this.labels = new Map();
    this.top = DAY + BUILD + EXTRA * this.headers.length;
    const width = this.names + this.columns.length * (this.width + GAP) + 1;
    const height = this.top + this.lines * ROW;
    this.space.style.width = `${width}px`;
    this.space.style.height = `${height}px`;
    const most = Math.max(260, innerHeight - 130);
    this.frame.style.height = `${Math.min(height + 16, most)}px`;
    const ratio = devicePixelRatio || 1;
    this.seen = { width: this.frame.clientWidth, height: this.frame.clientHeight };
    this.canvas.width = Math.round(this.seen.width * ratio);
    this.canvas.height = Math.round(this.seen.height * ratio);
    this.canvas.style.width = `${this.seen.width}px`;
    this.canvas.style.height = `${this.seen.height}px`;
    this.ratio = ratio;
  }

  take(d) {
    d.view.rows.forEach((r, i) => { this.rows[d.view.rows_from + i] = unpack(r, d.view, d.alerts?.[r.name]); });
  }

  // Lines are rows, and headings over groups of them. A line of the map is a
  // row's number, or -1 - a group's.
  arrange() {
    const rows = this.data.view.rows_total;
    this.map = null;
    if (this.groups.length) {
      const map = [];
      this.groups.forEach((g, n) => {
        map.push(-1 - n);
        if (!this.closed.has(g.name)) for (let i = 0; i < g.rows; i++) map.push(g.first + i);
      });
      this.map = map;
    }
    this.lines = this.map ? this.map.length : rows;
    this.labels = new Map();
  }

  line(i) {
    const n = this.map ? this.map[i] : i;
    if (n >= 0) return this.rows[n];
    const g = this.groups[-1 - n];
    return g && { name: g.name || "the rest", group: g, label: `${this.closed.has(g.name) ? "▸" : "▾"} ${g.name || "the rest"} (${g.rows}${g.failing ? `, ${g.failing} failing` : ""})` };
  }

  toggle(group) {
    if (!this.closed.delete(group.name)) this.closed.add(group.name);
    this.arrange();
    this.at.row = Math.min(this.at.row, this.lines - 1);
    this.frame.setAttribute("aria-rowcount", this.lines + 1);
    this.say.textContent = `${group.name || "the rest"} ${this.closed.has(group.name) ? "closed" : "open"}`;
    this.measure();
    this.draw();
  }

  // Rows that come into view are asked for, a page at a time and few at once:
  // whoever rushes past does not ask for all that is passed.
  need(first, last) {
    this.first = first;
    for (let i = first; i <= last && this.asked < FETCHES; i++) {
      const n = this.map ? this.map[i] : i;
      if (n >= 0 && !this.rows[n] && !this.pages.has(Math.floor(n / PAGE))) this.fetchPage(Math.floor(n / PAGE));
    }
  }

  async fetchPage(page) {
    const from = page * PAGE, rows = Math.min(PAGE, this.data.view.rows_total - from);
    this.pages.add(page);
    this.asked++;
    this.stop ??= new AbortController();
    try {
      const link = new URL(this.data.rowsLink, location.href);
      link.searchParams.set("from", from);
      link.searchParams.set("rows", rows);
      const answer = await fetch(link, { signal: this.stop.signal, headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      const d = await answer.json();
      // A build came in meanwhile: these rows do not belong under our columns.
      if (d.version !== this.data.version) { location.reload(); return; }
      this.take(d);
      this.forget();
    } catch (problem) {
      if (problem.name === "AbortError") return;
      this.say.textContent = `Rows ${from + 1} to ${from + rows} could not be loaded: ${problem.message}. Scroll there again to retry.`;
      setTimeout(() => this.pages.delete(page), 2000);
    } finally {
      this.asked--;
      this.draw();
    }
  }

  // What is far away is let go, so that a page stays as small however long one
  // scrolls in it.
  forget() {
    const here = this.map ? this.map.slice(this.first).find((n) => n >= 0) ?? 0 : this.first;
    const far = (page) => Math.abs(page - Math.floor(here / PAGE));
    while (this.pages.size > KEPT) {
      const page = [...this.pages].reduce((a, b) => (far(b) > far(a) ? b : a));
      this.pages.delete(page);
      for (let i = page * PAGE; i < (page + 1) * PAGE; i++) delete this.rows[i];
    }
    if (this.labels.size > KEPT * PAGE) this.labels.clear();
  }

  draw() {
    if (this.queued) return;
    this.queued = requestAnimationFrame(() => { this.queued = 0; this.paint(); });
  }

  paint() {
    if (!this.seen || !this.isConnected) return;
    const c = this.ink, k = this.colour, step = this.width + GAP;
    const left = this.frame.scrollLeft, up = this.frame.scrollTop, { width, height } = this.seen;
    c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    c.fillStyle = k.surface;
    c.fillRect(0, 0, width, height);
    const firstRow = Math.max(0, Math.floor(up / ROW)), lastRow = Math.min(this.lines - 1, Math.ceil((up + height - this.top) / ROW));
    const firstColumn = Math.max(0, Math.floor(left / step)), lastColumn = Math.min(this.columns.length - 1, Math.ceil((left + width - this.names) / step));
    this.need(firstRow, Math.min(lastRow + 20, this.lines - 1));
    c.save();
    c.beginPath(); c.rect(this.names, this.top, width, height); c.clip();
    for (let i = firstRow; i <= lastRow; i++) this.paintRow(c, i, firstColumn, lastColumn, left, this.top + i * ROW - up);
    c.restore();
    this.paintColumns(c, firstColumn, lastColumn, left);
    this.paintNames(c, firstRow, lastRow, up);
    this.paintCursor(c, left, up);
    c.fillStyle = k.line;
    c.fillRect(0, this.top - 1, width, 1);
    if (left > 0) c.fillRect(this.names - 1, 0, 1, height);
    c.fillStyle = k.surface;
    c.fillRect(0, 0, this.names - 1, this.top - 1);
    this.paintCorner(c);
  }

  paintRow(c, i, first, last, left, y) {
    const row = this.line(i), k = this.colour, step = this.width + GAP, big = this.width >= 14;
    const lit = this.over?.row === i || (this.cursor && this.at.row === i);
    if (lit) { c.fillStyle = k.sunk; c.fillRect(0, y, this.seen.width, ROW); }
    if (row?.group) return;
    c.textAlign = "center";
    c.textBaseline = "middle";
    let set = ""; // the font: setting it is what costs
    for (let j = first; j <= last; j++) {
      const x = this.names + j * step - left;
      if (!row) { c.fillStyle = k.sunk; c.fillRect(x, y + 8, this.width, 4); continue; }
      const kind = KIND[row.cells[j]] ?? "idle";
      if (kind === "none") continue;
      const strong = kind === "fail" || kind === "flake";
      c.fillStyle = strong ? k[kind] : kind === "pass" || kind === "skip" ? k["pass-soft"] : kind === "run" ? k["deep-soft"] : k.line;
      if (big || kind === "fail") c.fillRect(x, y + 1, this.width, ROW - GAP - 1);
      else if (kind === "flake") c.fillRect(x, y + 9, this.width, 10); // too narrow for letters: shapes
      else { c.fillRect(x, y + 1, this.width, ROW - GAP - 1); c.fillStyle = k.pass; c.fillRect(x, y + 9, this.width, 2); }
      if (!big) continue;
      const text = row.notes.get(j)?.icon || LETTER[kind];
      c.fillStyle = strong ? k.surface : kind === "run" ? k.deep : kind === "pass" || kind === "skip" ? k.pass : k.ink;
      if (!text) { c.fillRect(x + this.width / 2 - 1.5, y + ROW / 2 - 1.5, 3, 3); continue; }
      const font = text.length > 2 ? this.fonts.small : this.fonts.letter;
      if (font !== set) c.font = set = font;
      if (text.length > 1) c.fillText(text, x + this.width / 2, y + ROW / 2 + 0.5, this.width - 1);
      else c.fillText(text, x + this.width / 2, y + ROW / 2 + 0.5);
    }
  }

  paintNames(c, first, last, up) {
    const k = this.colour;
    c.fillStyle = k.surface;
    c.fillRect(0, this.top, this.names, this.seen.height);
    c.save();
    c.beginPath(); c.rect(0, this.top, this.names - 4, this.seen.height); c.clip();
    c.textAlign = "left"; c.textBaseline = "middle";
    for (let i = first; i <= last; i++) {
      const row = this.line(i), y = this.top + i * ROW - up;
      if (this.over?.row === i || (this.cursor && this.at.row === i)) { c.fillStyle = k.sunk; c.fillRect(0, y, this.names, ROW); }
      if (!row) { c.fillStyle = k.sunk; c.fillRect(PAD, y + 7, this.names * 0.6, 6); continue; }
      if (row.alert) { c.fillStyle = k.fail; c.fillRect(3, y + 3, 3, ROW - 6); }
      c.fillStyle = row.group ? k["ink-2"] : k.ink;
      c.font = `${row.group ? 650 : 500} 12.5px ${this.sans}`;
      c.fillText(this.fit(c, row.label ?? row.name, row.group ? "" : (this.line(i + 1) ?? this.line(i - 1))?.name), PAD, y + ROW / 2 + 0.5);
    }
    c.restore();
  }

  // A name that does not fit loses the end that it shares with its neighbour, if
  // that is long, and then its middle: what is left tells it from others.
  fit(c, name, neighbour = "") {
    const key = `${name}\n${neighbour}`;
    let text = this.labels.get(key);
    if (text !== undefined) return text;
    const room = this.names - 2 * PAD + 4, fits = (t) => c.measureText(t).width <= room;
    text = name;
    if (!fits(text)) {
      let shared = 0;
      while (shared < Math.min(name.length, neighbour.length) - 1 && name.at(-1 - shared) === neighbour.at(-1 - shared)) shared++;
      const end = shared > 8 ? "…" : "", whole = end ? name.slice(0, -shared) : name;
      const cut = (n) => { const head = Math.floor(n * (end ? 0.4 : 0.6)); return whole.slice(0, head) + "…" + whole.slice(whole.length - (n - head)) + end; };
      let low = 2, high = whole.length;
      while (low < high) {
        const n = (low + high + 1) >> 1;
        if (fits(cut(n))) low = n; else high = n - 1;
      }
      text = end && fits(whole + end) ? whole + end : cut(low);
    }
    this.labels.set(key, text);
    return text;
  }

  paintColumns(c, first, last, left) {
    const k = this.colour, step = this.width + GAP;
    c.fillStyle = k.surface;
    c.fillRect(0, 0, this.seen.width, this.top);
    c.save();
    c.beginPath(); c.rect(this.names, 0, this.seen.width, this.top); c.clip();
    this.spans(c, first, last, left, 0, DAY, (col) => day(col.started), k["ink-2"]);
    this.headers.forEach((_, h) => this.spans(c, first, last, left, DAY + BUILD + h * EXTRA, EXTRA, (col) => col.extra?.[h] ?? "", k["ink-3"]));
    c.font = `400 10.5px ${this.mono}`;
    c.textAlign = "left"; c.textBaseline = "middle";
    const every = Math.max(1, Math.ceil(13 / step));
    for (let j = first; j <= last; j++) {
      const x = this.names + j * step - left, picked = this.picked.includes(j);
      const here = this.over?.column === j || (this.cursor && this.at.column === j);
      if (picked || here) { c.fillStyle = picked ? k.deep : k.sunk; c.fillRect(x, DAY, this.width, BUILD); }
      if (j % every && !picked && !here) continue;
      c.fillStyle = picked ? k.surface : here ? k.ink : k["ink-3"];
      const id = this.columns[j].build;
      c.save();
      c.translate(x + this.width / 2, DAY + BUILD - 5);
      c.rotate(-Math.PI / 2);
      c.fillText(id.length > 10 ? "…" + id.slice(-9) : id, 0, 0.5);
      c.restore();
    }
    c.restore();
  }

  // Equal neighbours share one label, as wide as they are together.
  spans(c, first, last, left, y, height, value, ink) {
    const k = this.colour, step = this.width + GAP, all = this.columns;
    c.textAlign = "left"; c.textBaseline = "middle";
    let j = first;
    while (j > 0 && value(all[j - 1]) === value(all[first])) j--;
    while (j <= last) {
      const text = value(all[j]);
      let end = j + 1;
      while (end < all.length && value(all[end]) === text) end++;
      const x = this.names + j * step - left, room = (end - j) * step - GAP;
      c.fillStyle = k.line;
      c.fillRect(x, y + height - 2, room, 1);
      c.fillStyle = ink;
      c.save();
      c.beginPath(); c.rect(x, y, room, height); c.clip();
      c.font = `500 11px ${this.sans}`;
      const from = Math.max(x, this.names); // a label stays in sight while any of its columns is
      if (room - (from - x) >= Math.min(34, c.measureText(text).width + 3)) c.fillText(text, from + 2, y + height / 2);
      c.restore();
      j = end;
    }
  }

  paintCorner(c) {
    const k = this.colour;
    c.fillStyle = k["ink-3"];
    c.font = `500 11px ${this.sans}`;
    c.textAlign = "right"; c.textBaseline = "middle";
    const x = this.names - 10;
    c.fillText("newest left  ·  day", x, DAY / 2);
    c.fillText("build", x, DAY + BUILD / 2);
    this.headers.forEach((h, i) => c.fillText(h.length > 24 ? h.slice(0, 23) + "…" : h, x, DAY + BUILD + i * EXTRA + EXTRA / 2));
  }

  paintCursor(c, left, up) {
    if (!this.cursor) return;
    const { row, column } = this.at, x = this.names + column * (this.width + GAP) - left;
    c.strokeStyle = this.colour.deep;
    c.lineWidth = 2;
    if (row < 0) c.strokeRect(x - 1, DAY, this.width + 2, BUILD - 1);
    else c.strokeRect(x - 1, this.top + row * ROW - up, this.width + 2, ROW);
  }

  // Which cell a point of the screen is in; row -1 is the row of builds.
  find(e) {
    const box = this.canvas.getBoundingClientRect(), zoom = box.width / this.seen.width || 1;
    const x = (e.clientX - box.left) / zoom, y = (e.clientY - box.top) / zoom;
    if (x < 0 || y < 0 || x > this.seen.width || y > this.seen.height) return null;
    const column = x < this.names ? -1 : Math.floor((x - this.names + this.frame.scrollLeft) / (this.width + GAP));
    const row = y < this.top ? -1 : Math.floor((y - this.top + this.frame.scrollTop) / ROW);
    if (column >= this.columns.length || row >= this.lines || (row < 0 && column < 0)) return null;
    return { row, column };
  }

  hover(e) {
    const at = this.find(e);
    if (at?.row === this.over?.row && at?.column === this.over?.column) return;
    this.over = at;
    const link = at && at.row >= 0 && (this.link(at) || this.line(at.row)?.group);
    this.canvas.style.cursor = link || at?.row === -1 ? "pointer" : "default";
    if (at) this.show(at, true); else this.hide();
    this.draw();
  }

  link({ row, column }) {
    const r = this.line(row), d = this.data;
    if (!r || r.group) return "";
    if (column < 0) return d.rowLink.replace("{test}", encodeURIComponent(r.name));
    if (!r.cells[column]) return "";
    return d.cellLink.replace("{build}", encodeURIComponent(this.columns[column].build)).replace("{test}", () => encodeURIComponent(r.name));
  }

  click(e) {
    const at = this.find(e);
    if (!at) return;
    if (at.row < 0) { this.pick(at.column, e.shiftKey); return; }
    this.at = { row: at.row, column: Math.max(0, at.column) };
    const group = this.line(at.row)?.group;
    if (group) { this.toggle(group); return; }
    this.open(this.link(at), e.button === 1 || e.ctrlKey || e.metaKey);
  }

  open(link, apart) {
    if (!link) return;
    if (apart) window.open(link, "_blank", "noopener"); else location.assign(link);
  }

  // One build, then another with shift (or by key): the commits between.
  pick(column, second) {
    if (this.picked.includes(column)) this.picked = this.picked.filter((c) => c !== column);
    else this.picked = second && this.picked.length ? [this.picked[0], column] : [column];
    this.tell();
    this.draw();
  }

  tell() {
    this.chosen.replaceChildren();
    this.chosen.hidden = this.picked.length === 0;
    if (!this.picked.length) return;
    const all = this.columns, [newer, older] = [...this.picked].sort((a, b) => a - b);
    if (older === undefined) {
      this.chosen.append(`Build ${all[newer].build}, ${stamp(all[newer].started)}. Shift-click another build (or Enter on it) to see the commits between.`);
    } else {
      this.chosen.append(`From build ${all[older].build} to ${all[newer].build}: `);
      if (this.data.betweenLink) {
        const a = make("a", "", "the commits between");
        a.href = this.data.betweenLink.replace("{from}", encodeURIComponent(all[older].build)).replace("{to}", encodeURIComponent(all[newer].build));
        this.chosen.append(a);
      } else this.chosen.append("this tab does not say where its sources are.");
    }
    this.say.textContent = this.chosen.textContent;
  }

  words({ row, column }) {
    const r = this.line(row), col = this.columns[column];
    const about = col ? [`build ${col.build}`, stamp(col.started), ...this.headers.map((h, i) => col.extra?.[i] ? `${h} ${col.extra[i]}` : "").filter(Boolean)].join(" · ") : "";
    if (row < 0) return { title: `Build ${col.build}`, about: about.split(" · ").slice(1).join(" · "), message: "" };
    if (!r) return { title: "loading…", about, message: "" };
    if (r.group) return { title: r.name, about: `${r.group.rows} rows, ${r.group.failing} failing`, message: "" };
    if (column < 0) return { title: r.name, about: r.alert ?? "", message: "" };
    const note = r.notes.get(column), word = WORD[r.cells[column]] ?? "unknown";
    return { title: r.name, word: note?.icon && note.icon.includes("/") ? `${word}, ${note.icon}` : word, kind: KIND[r.cells[column]], about, message: note?.message ?? "" };
  }

  show(at, pointed) {
    if (!this.columns.length) return;
    const w = this.words(at);
    this.tip.replaceChildren(make("b", "", w.title));
    if (w.word) this.tip.append(make("span", "word " + (w.kind ?? ""), w.word));
    if (w.about) this.tip.append(make("small", "", w.about));
    if (w.message) this.tip.append(make("span", "message", w.message));
    this.tip.hidden = false;
    const step = this.width + GAP, out = this.getBoundingClientRect(), box = this.canvas.getBoundingClientRect();
    const zoom = box.width / this.seen.width || 1;
    const x = (box.left - out.left) / zoom + this.names + Math.max(0, at.column) * step - this.frame.scrollLeft;
    const y = (box.top - out.top) / zoom + (at.row < 0 ? this.top : this.top + (at.row + 1) * ROW - this.frame.scrollTop);
    const room = out.width / zoom - this.tip.offsetWidth - 4;
    this.tip.style.left = `${clamp(at.column < 0 ? 8 : x + 6, 4, Math.max(4, room))}px`;
    const below = y + 8 + this.tip.offsetHeight < this.offsetHeight + 40;
    this.tip.style.top = `${below ? y + 6 : y - ROW - this.tip.offsetHeight - 6}px`;
    if (pointed) return;
    this.head.textContent = at.row < 0 ? "builds" : w.title;
    this.cell.textContent = [w.word ?? w.title, w.message, w.about].filter(Boolean).join(". ");
    this.spoken.setAttribute("aria-rowindex", at.row + 2);
    this.cell.setAttribute("aria-colindex", at.column + 2);
    this.say.textContent = `${w.title}: ${this.cell.textContent}`;
  }

  hide() { this.tip.hidden = true; }

  // What is said of the cell that was walked to stays with it while it is in sight.
  follow() {
    const x = this.at.column * (this.width + GAP) - this.frame.scrollLeft, y = this.at.row * ROW - this.frame.scrollTop;
    const seen = x >= 0 && x < this.seen.width - this.names && y > -ROW && y < this.seen.height - this.top;
    if (this.cursor && seen && !this.tip.hidden) this.show(this.at, true); else this.hide();
  }

  // Where on the screen a cell is.
  place({ row, column }) {
    const box = this.canvas.getBoundingClientRect(), zoom = box.width / this.seen.width || 1, step = this.width + GAP;
    return { x: box.left + zoom * (this.names + column * step - this.frame.scrollLeft + this.width / 2), y: box.top + zoom * (this.top + (row + 1) * ROW - this.frame.scrollTop) };
  }

  // What the menu of a cell or of a name offers: see menu.js.
  offers({ row, column }) {
    const r = this.line(row);
    if (row < 0 || !r || r.group) return [];
    const build = this.columns[column]?.build, kind = KIND[r.cells[column]] ?? "none", about = { test: r.name };
    let all = [{ label: "This test in all its runs", link: this.data.rowLink }];
    if (build && kind !== "none") {
      about.build = build;
      all = (this.data.menu ?? []).filter((m) => !m.failed || kind === "fail" || kind === "flake");
    }
    const fill = (link) => link.replace("{build}", encodeURIComponent(build)).replace("{test}", () => encodeURIComponent(r.name));
    const here = new URL(location.href);
    for (const name of ["from", "older", "build", "test", "causes"]) here.searchParams.delete(name);
    here.hash = "";
    for (const [name, value] of Object.entries(about)) here.searchParams.set(name, value);
    return [...all.map((m) => ({ label: m.label, link: fill(m.link) })), { label: about.build ? "Copy a link to this cell" : "Copy a link to this row", copy: here.href }];
  }

  key(e) {
    if (this.menu.key(e)) return;
    const { row, column } = this.at, rows = this.lines, columns = this.columns.length;
    const screen = Math.max(1, Math.floor((this.seen.height - this.top) / ROW) - 1);
    const moves = {
      ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], PageUp: [-screen, 0], PageDown: [screen, 0],
      Home: e.ctrlKey ? [-rows, -columns] : [0, -columns], End: e.ctrlKey ? [rows, columns] : [0, columns],
    };
    if (e.key === "Escape") {
      if (!this.tip.hidden) this.hide(); else { this.picked = []; this.tell(); this.draw(); }
    } else if (e.key === "Enter" || e.key === " ") {
      const group = row >= 0 && this.line(row)?.group;
      if (row < 0) this.pick(column, this.picked.length > 0); else if (group) this.toggle(group); else this.open(this.link(this.at), e.ctrlKey || e.metaKey);
    } else if (moves[e.key] && columns && !e.altKey) {
      const [down, right] = moves[e.key];
      this.at = { row: clamp(row + down, -1, rows - 1), column: clamp(column + right, 0, columns - 1) };
      this.cursor = true;
      this.into();
      this.show(this.at);
      this.draw();
    } else return;
    e.preventDefault();
  }

  // Scrolls no further than the cell needs.
  into() {
    const step = this.width + GAP, f = this.frame, x = this.at.column * step, y = Math.max(0, this.at.row) * ROW;
    f.scrollLeft = clamp(f.scrollLeft, x + step - (this.seen.width - this.names), x);
    f.scrollTop = clamp(f.scrollTop, y + ROW - (this.seen.height - this.top), y);
  }
}

customElements.define("result-grid", ResultGrid);
