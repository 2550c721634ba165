// Walks the pages of a running platform whose demo has been told, as a person
// would: from the first page along every link of the road, on a phone, on a desk
// and on a wall (4K), in light and dark. Checks what must hold of every page and keeps a
// picture of each.
//
//   node walk.mjs URL FOLDER
import { chromium } from "playwright-core";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

const [base, folder] = process.argv.slice(2);
if (!base || !folder) {
  console.error("usage: node walk.mjs URL FOLDER");
  process.exit(2);
}
mkdirSync(folder, { recursive: true });

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
let passed = 0;
const failures = [];
const check = (holds, what) => (holds ? passed++ : failures.push(what));

// Contrast of the text a person reads, by WCAG's formula, over every element
// that holds text of its own.
const contrast = () => {
  const parse = (c) => { const n = c.match(/[\d.]+/g).map(Number); return c.startsWith("color(srgb") ? [n[0] * 255, n[1] * 255, n[2] * 255, n[3] ?? 1] : [n[0], n[1], n[2], n[3] ?? 1]; };
  const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c[3] > 0.99) return c; } return [255, 255, 255, 1]; };
  const poor = [];
  for (const e of document.querySelectorAll("body *")) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || !e.checkVisibility()) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.push(`${e.tagName.toLowerCase()}.${e.className} "${e.textContent.trim().slice(0, 30)}" ${ratio.toFixed(2)}`);
  }
  return poor;
};

async function look(context, name, path) {
  const page = await context.newPage();
  const problems = [];
  page.on("console", (m) => m.type() === "error" && problems.push(m.text()));
  page.on("pageerror", (e) => problems.push(String(e)));
  const answer = await page.goto(base + path, { waitUntil: "load" });
  check(answer.status() === 200, `${name} ${path}: ${answer.status()}`);
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  check(wide <= 0, `${name} ${path}: ${wide} px wider than the window`);
  const poor = await page.evaluate(contrast);
  check(poor.length === 0, `${name} ${path}: contrast below 4.5: ${poor.slice(0, 3).join("; ")}`);
  check(problems.length === 0, `${name} ${path}: ${problems.join("; ")}`);
  return page;
}

// What the story leaves behind, found by following links like a reader.
const plain = await browser.newContext({ javaScriptEnabled: false });
const start = await look(plain, "without-script", "/");
check((await start.textContent("h1")).includes("v0.1.0"), "the first page names the release, without script");
const follow = async (from, selector) => {
  const page = await plain.newPage();
  await page.goto(base + from);
  return page.locator(selector).first().getAttribute("href");
};
const pages = {
  now: "/",
  changes: "/changes",
  change: await follow("/changes?state=open", 'a[href*="/pull/"]'),
  merged: await follow("/changes?state=merged", 'a[href*="/pull/"]'),
  runs: "/runs",
  failed: await follow("/runs?state=failed", 'ul.rows a[href^="/runs/"]'),
  commands: "/commands",
  signal: "/signal",
  grid: "/harbour/halyard/grid/pull-unit",
  releases: "/releases",
  timeline: await follow("/releases", 'a[href^="/releases/"]'),
  rehearsal: await follow("/releases", 'li:has(.tag) a[href^="/releases/"]'),
  stage: await follow("/releases", 'a[href^="/releases/"]:has-text("stage ")'),
  issue: await follow(await follow("/releases", 'a[href^="/releases/"]:has-text("stage ")'), 'a[href*="/issues/"]'),
  published: await follow("/releases", 'a[href*="/releases/tag/"]'),
};
await plain.close();

for (const scheme of ["light", "dark"]) {
  for (const [size, width, height] of [["phone", 360, 740], ["desk", 1280, 900], ["wall", 3840, 2160]]) {
    const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height } });
    for (const [name, path] of Object.entries(pages)) {
      const page = await look(context, `${name}-${size}-${scheme}`, path);
      await page.close();
    }
    await context.close();
  }
}

// Keyboard: the first stop skips to the content.
const desk = await browser.newContext({ viewport: { width: 1280, height: 900 } });
const first = await desk.newPage();
await first.goto(base + "/");
await first.keyboard.press("Tab");
check((await first.evaluate(() => document.activeElement.textContent)).startsWith("Skip"), "the first Tab offers to skip to the content");
await first.keyboard.press("Enter");
check((await first.evaluate(() => document.activeElement.id)) === "main", "skipping leads to the content");

// Live: the page says that it listens.
await first.waitForSelector(".live.on", { timeout: 10_000 });
check(true, "live");

// A release's file can be downloaded from its page.
await first.goto(base + pages.published);
const [download] = await Promise.all([first.waitForEvent("download"), first.click('a:has-text("SHA256SUMS")')]);
check((await download.failure()) === null, "SHA256SUMS downloads");

await browser.close();
for (const f of failures) console.error("✕ " + f);
console.log(`${passed} passed, ${failures.length} failed`);
process.exit(failures.length ? 1 : 0);
