// Scrolls through a grid as big as life in a browser, 200 builds by 3,500 tests:
// how soon it is there and how much it takes, how quick its frames are by wheel
// and by key, how much is asked for and how much is kept. The numbers are printed
// and held to limits; those of time have room for a machine that does other
// things, too.
//
//   go build -o /tmp/gridpages ./test/gridpages && node test/e2e/scale.mjs /tmp/gridpages FOLDER -tests 3500
import { begin, settled } from "./browser.mjs";

const walk = await begin("scale.mjs");
const { base, browser, check } = walk;
const grid = "/dashboards/fleet-blocking/conformance";
const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
const page = await walk.page(context);
const client = await context.newCDPSession(page);
const round = (n) => Math.round(n * 10) / 10;

// The first screen: everything that the page asks for until the grid is drawn.
async function first(path, name) {
  const parts = [], told = new Set();
  const count = (r) => {
    const again = told.has(r.url()); // an answer that nothing has changed has no bytes of its own
    told.add(r.url());
    parts.push((async () => [again ? 0 : (await (await r.response()).body().catch(() => Buffer.alloc(0))).length, Math.max(0, (await r.sizes()).responseBodySize)])());
  };
  page.on("requestfinished", count);
  const began = Date.now();
  await page.goto(base + path, { waitUntil: "load" });
  await page.waitForSelector("result-grid.drawn .sheet canvas");
  await settled(page);
  const took = Date.now() - began;
  page.off("requestfinished", count);
  const [bytes, sent] = (await Promise.all(parts)).reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0]);
  const server = await page.evaluate(() => { const [t] = performance.getEntriesByType("navigation"); return [t.responseStart - t.requestStart, t.responseEnd - t.requestStart]; });
  console.log(`${name}: ${parts.length} answers of ${bytes} bytes, packed into ${sent}; first byte after ${round(server[0])} ms, the page after ${round(server[1])} ms, drawn after ${took} ms`);
  check(bytes > 50_000 && bytes <= 300_000, `${name} takes ${bytes} bytes, at most 300,000`);
  check(sent <= 60_000, `${name} takes ${sent} bytes packed, at most 60,000`);
  return server[1];
}
const cold = await first(grid, "first screen");
await first(grid + "?sort=failures&causes=all", "what failed first, with all messages");
const again = [];
for (let i = 0; i < 5; i++) again.push(await first(grid, "first screen again"));
// The best of some: what is longer is the machine's, which does other things, too.
check(Math.min(cold, ...again) <= 100, `the server takes ${round(Math.min(...again))} ms for the first screen, at most 100`);

const rows = await page.evaluate(() => document.querySelector("result-grid").lines);
const columns = await page.evaluate(() => document.querySelector("result-grid").columns.length);
console.log(`${columns} columns x ${rows} rows`);
check(rows >= 3500 && columns >= 200, `the grid has ${columns} x ${rows} cells`);

// What the page of the script has in memory once all that is unreachable is gone.
async function heap() {
  await client.send("HeapProfiler.collectGarbage");
  return (await client.send("Runtime.getHeapUsage")).usedSize / 1e6;
}

// Times between frames, and of drawing one, while something scrolls. The longest
// waits are of the machine; those of drawing and of the script are ours.
const watch = () => page.evaluate(() => {
  const g = document.querySelector("result-grid"), paint = g.paint.bind(g);
  const seen = (window.seen = { frames: [], paints: [], tasks: [], rowsMost: 0, on: true });
  g.paint = () => { const t = performance.now(); paint(); seen.paints.push(performance.now() - t); seen.rowsMost = Math.max(seen.rowsMost, Object.keys(g.rows).length); };
  new PerformanceObserver((l) => seen.tasks.push(...l.getEntries().map((e) => e.duration))).observe({ type: "longtask" });
  let last = 0;
  const frame = (t) => { if (last) seen.frames.push(t - last); last = t; if (seen.on) requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
});
async function watched(name) {
  const s = await page.evaluate(() => { const g = document.querySelector("result-grid"); seen.on = false; delete g.paint; return { ...seen, top: g.frame.scrollTop, end: g.frame.scrollHeight - g.frame.clientHeight }; });
  const of = (all, share) => all.sort((a, b) => a - b)[Math.min(all.length - 1, Math.floor(all.length * share))] ?? 0;
  console.log(`${name}: ${s.frames.length} frames, median ${round(of(s.frames, 0.5))} ms, 99 of 100 within ${round(of(s.frames, 0.99))} ms, longest ${round(of(s.frames, 1))} ms; drawing takes ${round(of(s.paints, 0.5))} ms, at most ${round(of(s.paints, 1))} ms; longest task ${round(of(s.tasks, 1))} ms; at most ${s.rowsMost} rows kept`);
  check(s.rowsMost <= 2_800, `${name}: ${s.rowsMost} rows are kept`);
  check(s.frames.length > 30, `${name}: ${s.frames.length} frames`);
  // A frame is 16.7 ms. Other work on the machine may cost every second one; a
  // grid that draws what is not seen costs many more.
  check(of(s.frames, 0.5) <= 34, `${name}: half of the frames take more than ${round(of(s.frames, 0.5))} ms, wanted 17`);
  check(of(s.frames, 0.99) <= 200, `${name}: one frame in a hundred takes ${round(of(s.frames, 0.99))} ms or more, wanted 100`);
  check(of(s.paints, 0.5) <= 34 && of(s.paints, 0.99) <= 150, `${name}: drawing takes ${round(of(s.paints, 0.5))} ms and up to ${round(of(s.paints, 0.99))} ms`);
  return s;
}

const asked = [];
page.on("response", async (r) => { if (r.url().includes("/rows?")) asked.push((await r.body().catch(() => Buffer.alloc(0))).length); });
const before = await heap();

// By wheel, from the top to the bottom.
await page.locator(".sheet").scrollIntoViewIfNeeded();
await page.evaluate(() => document.querySelector(".sheet").scrollIntoView({ block: "end" }));
const box = await page.locator(".sheet").boundingBox();
await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
await watch();
const bottom = () => page.evaluate(() => { const f = document.querySelector(".sheet"); return f.scrollTop >= f.scrollHeight - f.clientHeight - 1; });
for (let i = 0; i < 1500 && !(i % 10 === 0 && (await bottom())); i++) await page.mouse.wheel(i % 7 ? 0 : 60, 240);
const wheel = await watched("by wheel");
check(wheel.top >= wheel.end - 1, `the wheel leads to the end: ${wheel.top} of ${wheel.end}`);
const settledRows = () => page.waitForFunction(() => { const g = document.querySelector("result-grid"); return g.line(g.lines - 1)?.cells; }, null, { timeout: 10_000 });
await settledRows();
await walk.picture(page, "scale-bottom");

// Back to the top and down again by key.
await page.locator(".sheet").focus();
await page.keyboard.press("Control+Home");
await settled(page);
await watch();
for (let i = 0; i < 400 && !(i % 10 === 0 && (await bottom())); i++) await page.keyboard.press("PageDown");
const keys = await watched("by key");
check(keys.top >= keys.end - 1, `keys lead to the end: ${keys.top} of ${keys.end}`);
await settledRows();
for (let i = 0; i < 60; i++) await page.keyboard.press("ArrowUp");

const after = await heap();
console.log(`rows were asked for ${asked.length} times, ${Math.round(asked.reduce((a, b) => a + b, 0) / 1e3)} kB in all, at most ${Math.round(Math.max(...asked) / 1e3)} kB at once; memory of the script ${round(before)} MB before, ${round(after)} MB after`);
check(asked.length >= 17 && asked.length <= 120, `rows are asked for in windows: ${asked.length} times`);
check(Math.max(...asked) <= 300_000, `one answer has ${Math.max(...asked)} bytes`);
check(after <= before + 20, `memory grows from ${round(before)} to ${round(after)} MB`);
check(page.problems.length === 0, page.problems.join("; "));
await walk.end();
