// Walks the pages of a running platform whose demo has been told, as a person
// would: from the first page along every link of the road, on a phone, on a desk
// and on a wall (4K), in light and dark. Checks what must hold of every page and keeps a
// picture of each.
//
//   node walk.mjs URL FOLDER
import { begin, contrast } from "./browser.mjs";

const walk = await begin("walk.mjs");
const { base, browser, check } = walk;

async function look(context, name, path) {
  const page = await walk.open(context, path);
  await walk.picture(page, name, { fullPage: true });
  await walk.sound(page, `${name} ${path}`);
  const poor = await page.evaluate(contrast);
  check(poor.length === 0, `${name} ${path}: contrast below 4.5: ${poor.slice(0, 3).join("; ")}`);
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

await walk.everywhere([["phone", 360, 740], ["desk", 1280, 900], ["wall", 3840, 2160]], async (context, where) => {
  for (const [name, path] of Object.entries(pages)) await (await look(context, `${name}-${where}`, path)).close();
});

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

await walk.end();
