// Walks the pages of dashboards and grids in a browser: opens, filters, sorts,
// moves by keyboard, points, picks two builds, looks at graphs and comparisons,
// on a phone and on a desk, in light and dark, with and without script. Keeps a
// picture of each.
//
//   go build -o /tmp/gridpages ./test/gridpages && node test/e2e/grid.mjs /tmp/gridpages FOLDER
import { chromium } from "playwright-core";
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

const [program, folder] = process.argv.slice(2);
if (!program || !folder) {
  console.error("usage: node grid.mjs PROGRAM-OR-URL FOLDER");
  process.exit(2);
}
mkdirSync(folder, { recursive: true });

let server;
let base = program;
if (!program.startsWith("http")) {
  server = spawn(program, { stdio: ["pipe", "pipe", "inherit"] });
  base = await new Promise((found, failed) => {
    server.stdout.once("data", (text) => found(String(text).trim()));
    server.once("exit", (code) => failed(new Error(`${program} ended with ${code}`)));
  });
}
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
let passed = 0;
const failures = [];
const check = (holds, what) => (holds ? passed++ : failures.push(what));

async function open(context, path) {
  const page = await context.newPage();
  page.problems = [];
  page.on("console", (m) => m.type() === "error" && page.problems.push(m.text()));
  page.on("pageerror", (e) => page.problems.push(String(e)));
  const answer = await page.goto(base + path, { waitUntil: "load" });
  check(answer.status() === 200, `${path}: ${answer.status()}`);
  if (await page.locator("result-grid").count()) await page.waitForFunction(() => !document.querySelector("result-grid").matches(":not(.drawn)"), null, { timeout: 5000 }).catch(() => {});
  return page;
}
const settled = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

const grid = "/dashboards/fleet-blocking/conformance";
const pages = {
  signal: "/signal",
  dashboard: "/dashboards/fleet-blocking",
  failing: "/dashboards/fleet-blocking?status=failing",
  grid,
  small: "/dashboards/fleet-blocking/smoke",
  grouped: "/dashboards/fleet-informing/by-failures",
  narrow: grid + "?width=6&only=failures&sort=failures",
  empty: "/dashboards/fleet-blocking/nothing-yet",
  wrong: grid + "?include=(",
  graph: grid + "/graph",
  graphs: grid + "/graph?include=TestVoyage00[1-4]",
  compare: "/compare?tab=fleet-blocking/conformance&tab=fleet-blocking/smoke",
  between: grid + "/between?from=1828409320300000100&to=1828409320300000199",
};

for (const scheme of ["light", "dark"]) {
  for (const [size, width, height] of [["phone", 360, 740], ["desk", 1280, 900]]) {
    const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height }, deviceScaleFactor: size === "phone" ? 2 : 1 });
    for (const [name, path] of Object.entries(pages)) {
      const page = await open(context, path);
      await settled(page);
      await page.screenshot({ path: join(folder, `${name}-${size}-${scheme}.png`), fullPage: true });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      check(wide <= 0, `${name} ${size}: ${wide} px wider than the window`);
      check(page.problems.length === 0, `${name} ${size} ${scheme}: ${page.problems.join("; ")}`);
      await page.close();
    }
    await context.close();
  }
}

// Without script there is a table, paged by links.
const plain = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 1280, height: 900 } });
const still = await open(plain, grid);
check(await still.locator("table.grid").isVisible(), "without script the table is seen");
const first = await still.locator("table.grid tbody th").first().textContent();
await still.click('text="rows after →"');
check((await still.locator("table.grid tbody th").first().textContent()) !== first, "the next rows are others");
await still.goto(base + grid);
await still.fill("input[name=include]", "TestVoyage00[1-3]/");
await still.click("button:has-text('Show')");
check((await still.locator("table.grid tbody tr").count()) === 3, "the filter works without script");
await still.screenshot({ path: join(folder, "without-script.png"), fullPage: true });
await plain.close();

// With script: how much the first screen takes, and how soon it is there.
const desk = await browser.newContext({ viewport: { width: 1280, height: 900 } });
const page = await desk.newPage();
const parts = [];
page.on("requestfinished", (r) => parts.push((async () => [(await (await r.response()).body().catch(() => Buffer.alloc(0))).length, (await r.sizes()).responseBodySize])()));
const began = Date.now();
await page.goto(base + grid, { waitUntil: "load" });
await page.waitForSelector("result-grid.drawn .sheet canvas");
await settled(page);
const took = Date.now() - began;
const [bytes, sent] = (await Promise.all(parts)).reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0]);
console.log(`first screen: ${bytes} bytes, packed into ${sent}, after ${took} ms`);
check(bytes > 50_000 && bytes <= 300_000, `the first screen takes ${bytes} bytes, at most 300,000`);
const timing = await page.evaluate(() => { const [t] = performance.getEntriesByType("navigation"); return t.responseStart - t.requestStart; });
console.log(`first byte: ${Math.round(timing)} ms`);
check(await page.locator("table.grid").isHidden(), "with script the table makes place");
const drawn = () => page.evaluate(() => {
  const c = document.querySelector(".sheet canvas"), d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data, seen = new Set();
  for (let i = 0; i < d.length; i += 4 * 97) seen.add((d[i] << 16) | (d[i + 1] << 8) | d[i + 2]);
  return seen.size;
});
check((await drawn()) > 5, "the canvas has colours");

// Scrolling: further rows are fetched, and each frame is quick.
const frames = await page.evaluate(async () => {
  const f = document.querySelector(".sheet"), g = document.querySelector("result-grid"), spent = [];
  const paint = g.paint.bind(g);
  g.paint = () => { const t = performance.now(); paint(); spent.push(performance.now() - t); };
  for (let i = 0; i < 60; i++) { f.scrollTop += 150; f.scrollLeft += 30; await new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r))); }
  delete g.paint;
  return spent.sort((a, b) => a - b);
});
console.log(`frames while scrolling: median ${frames[frames.length >> 1].toFixed(1)} ms, slowest ${frames.at(-1).toFixed(1)} ms of ${frames.length}`);
check(frames.length > 30 && frames[frames.length >> 1] < 16, `half of the frames take ${frames[frames.length >> 1]} ms or less`);
await page.waitForFunction(() => document.querySelector("result-grid").rows.filter(Boolean).length > 200, null, { timeout: 5000 });
check(true, "further rows come");
await page.screenshot({ path: join(folder, "scrolled.png") });

// Keyboard: a cell is shown and told; Enter opens it; Escape hides.
await page.evaluate(() => document.querySelector(".sheet").scrollTo(0, 0));
await page.locator(".sheet").focus();
for (let i = 0; i < 4; i++) await page.keyboard.press("ArrowDown");
await page.keyboard.press("ArrowRight");
check(await page.locator(".tip").isVisible(), "the keyboard shows what a cell says");
const told = await page.locator("result-grid [role=gridcell]").textContent();
check(/build 18284093203\d+/.test(told), `the cell is told: ${told}`);
check((await page.locator("result-grid [role=row]").getAttribute("aria-rowindex")) === "6", "the row is told");
await page.screenshot({ path: join(folder, "keyboard.png") });
await page.keyboard.press("Escape");
check(await page.locator(".tip").isHidden(), "Escape hides it");
await page.keyboard.press("Control+End");
await settled(page);
check((await page.locator("result-grid [role=gridcell]").textContent()).length > 0, "the last cell is told");
await page.keyboard.press("Control+Home");
check((await page.locator("result-grid [role=row]").getAttribute("aria-rowindex")) === "1", "Home leads to the builds");
await page.keyboard.press("Enter");
for (let i = 0; i < 9; i++) await page.keyboard.press("ArrowRight");
await page.keyboard.press("Enter");
check(await page.locator(".chosen a").isVisible(), "two builds picked by keyboard lead to the commits between");
const between = await page.locator(".chosen a").getAttribute("href");
check(/between\?from=\d+&to=\d+$/.test(between), `the commits between: ${between}`);
await page.screenshot({ path: join(folder, "picked.png") });
await page.keyboard.press("Escape");
await page.keyboard.press("Escape");
check(await page.locator(".chosen").isHidden(), "Escape forgets the builds");

// The pointer: a failing cell says its message, and leads to its run.
const at = await page.evaluate(() => {
  const g = document.querySelector("result-grid"), f = g.frame.getBoundingClientRect();
  for (let row = 0; row < 25; row++) for (let column = 0; column < 12; column++) {
    if (g.line(row)?.cells?.[column] === 12 && g.line(row).notes.get(column)?.message) return { x: f.left + 1 + g.names + column * (g.width + 1) + 8, y: f.top + 1 + g.top + row * 20 + 10 };
  }
});
check(at, "there is a failure on the first screen");
if (at) {
  await page.mouse.move(at.x, at.y);
  await page.waitForSelector(".tip .message");
  check((await page.locator(".tip").textContent()).includes("expected the tide"), "the pointer shows the message");
  await page.screenshot({ path: join(folder, "pointed.png") });
  const [left] = await Promise.all([page.waitForRequest((r) => r.url().includes("/open?build=")), page.mouse.click(at.x, at.y)]);
  check(/open\?build=\d+&test=/.test(left.url()), `a click leads to ${left.url()}`);
}

// What is asked for is in the address.
await page.goto(base + grid);
await page.selectOption("select[name=sort]", "failures");
await page.check("input[name=only]");
await page.fill("input[name=exclude]", "storage");
await page.click("button:has-text('Show')");
const address = new URL(page.url());
check(address.searchParams.get("sort") === "failures" && address.searchParams.get("only") === "failures" && address.searchParams.get("exclude") === "storage", `the address is ${address}`);
check(!(await page.evaluate(() => document.querySelector("result-grid").rows.some((r) => r?.name.startsWith("storage")))), "excluded rows are gone");

// Groups close and open.
await page.goto(base + pages.grouped);
await page.locator(".sheet").focus();
const lines = () => page.evaluate(() => document.querySelector("result-grid").lines);
const before = await lines();
await page.keyboard.press("Enter");
check((await lines()) < before, "a group closes");
await page.keyboard.press("Enter");
check((await lines()) === before, "and opens again");

// A graph's point says its value; the page tells where the commits are.
await page.goto(base + pages.graph);
check((await page.locator(".graph circle, .graph rect").count()) > 100, "the graph has a point for each build");
check((await page.locator(".graph title").first().textContent()).includes("in build"), "a point says its value");
await page.goto(base + pages.compare);
check((await page.locator("table.compare tbody tr").count()) > 5, "the comparison has rows");

await browser.close();
server?.stdin.end();
for (const f of failures) console.error("✕ " + f);
console.log(`${passed} passed, ${failures.length} failed`);
process.exit(failures.length ? 1 : 0);
