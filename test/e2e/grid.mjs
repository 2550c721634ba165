// Walks the pages of dashboards and grids in a browser: opens, filters, sorts,
// moves by keyboard, points, picks two builds, looks at graphs and comparisons,
// on a phone and on a desk, in light and dark, with and without script. Keeps a
// picture of each.
//
//   go build -o /tmp/gridpages ./test/gridpages && node test/e2e/grid.mjs /tmp/gridpages FOLDER
import { begin, contrast, settled } from "./browser.mjs";

const walk = await begin("grid.mjs");
const { base, browser, check } = walk;

async function open(context, path) {
  const page = await walk.open(context, path);
  if (await page.locator("result-grid").count()) await page.waitForSelector("result-grid.drawn", { timeout: 5000 }).catch(() => {});
  return page;
}

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

await walk.everywhere([["phone", 360, 740, 2], ["desk", 1400, 900]], async (context, where) => {
  for (const [name, path] of Object.entries(pages)) {
    const page = await open(context, path);
    await settled(page);
    await walk.picture(page, `${name}-${where}`, { fullPage: true });
    await walk.sound(page, `${name} ${where}`);
    const poor = await page.evaluate(contrast);
    check(poor.length === 0, `${name} ${where}: contrast below 4.5: ${poor.slice(0, 3).join("; ")}`);
    await page.close();
  }
});

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
await walk.picture(still, "without-script", { fullPage: true });
await plain.close();

// With script the table makes place for the canvas.
const desk = await browser.newContext({ viewport: { width: 1280, height: 900 } });
const page = await open(desk, grid);
await settled(page);
check(await page.locator("table.grid").isHidden(), "with script the table makes place");
const drawn = () => page.evaluate(() => {
  const c = document.querySelector(".sheet canvas"), d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data, seen = new Set();
  for (let i = 0; i < d.length; i += 4 * 97) seen.add((d[i] << 16) | (d[i + 1] << 8) | d[i + 2]);
  return seen.size;
});
check((await drawn()) > 5, "the canvas has colours");

// Keyboard: a cell is shown and told; Enter opens it; Escape hides.
await page.locator(".sheet").focus();
for (let i = 0; i < 4; i++) await page.keyboard.press("ArrowDown");
await page.keyboard.press("ArrowRight");
check(await page.locator(".tip").isVisible(), "the keyboard shows what a cell says");
const told = await page.locator("result-grid [role=gridcell]").textContent();
check(/build 18284093203\d+/.test(told), `the cell is told: ${told}`);
check((await page.locator("result-grid [role=row]").getAttribute("aria-rowindex")) === "6", "the row is told");
await walk.picture(page, "keyboard");
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
await walk.picture(page, "picked");
await page.keyboard.press("Escape");
await page.keyboard.press("Escape");
check(await page.locator(".chosen").isHidden(), "Escape forgets the builds");

// The pointer: a failing cell says its message, and leads to its run.
const failing = () => page.evaluate(() => {
  const g = document.querySelector("result-grid"), f = g.frame.getBoundingClientRect();
  for (let row = 0; row < 25; row++) for (let column = 0; column < 12; column++) {
    if (g.line(row)?.cells?.[column] === 12 && g.line(row).notes.get(column)?.message) return { x: f.left + 1 + g.names + column * (g.width + 1) + 8, y: f.top + 1 + g.top + row * 20 + 10 };
  }
});
const at = await failing();
check(at, "there is a failure on the first screen");
if (at) {
  await page.mouse.move(at.x, at.y);
  await page.waitForSelector(".tip .message");
  check((await page.locator(".tip").textContent()).includes("expected the tide"), "the pointer shows the message");
  await walk.picture(page, "pointed");
  // Where that leads is outside, and is not gone to.
  await page.route(/\/open\?build=/, (r) => r.fulfill({ body: "the run" }));
  await page.mouse.click(at.x, at.y);
  await page.waitForURL(/\/open\?build=\d+&test=/);
  await page.unroute(/\/open\?build=/);
}

// The menu of a cell: by the pointer, by key and by a finger; walked by arrows.
await page.goto(base + grid);
await page.waitForSelector("result-grid.drawn");
if (at) {
  await page.locator(".sheet").scrollIntoViewIfNeeded();
  const { x, y } = await failing();
  await page.mouse.click(x, y, { button: "right" });
  check(await page.locator(".menu").isVisible(), "the secondary button opens the menu");
  const entries = await page.locator(".menu [role=menuitem]").allTextContents();
  for (const name of ["Open the run", "This test in all its runs", "Failures like this one", "File an issue", "Issues about it", "Attach to an issue", "Logs of the build", "Copy a link to this cell"]) check(entries.includes(name), `the menu has ${name}: ${entries}`);
  await walk.picture(page, "menu");
  await page.keyboard.press("ArrowDown");
  check((await page.evaluate(() => document.activeElement.textContent)) === entries[1], "an arrow leads to the next entry");
  await page.keyboard.press("Escape");
  check(await page.locator(".menu").isHidden() && await page.evaluate(() => document.activeElement.classList.contains("sheet")), "Escape leads back to the grid");
  await page.keyboard.press("Shift+F10");
  check(await page.locator(".menu").isVisible(), "a key opens the menu");
  const leads = await page.locator(".menu a").evaluateAll((all) => all.map((a) => a.href));
  for (const link of leads.filter((l) => l.startsWith(base))) {
    const answer = await page.request.get(link, { maxRedirects: 0 });
    check([200, 302].includes(answer.status()), `${link} answers ${answer.status()}`);
  }
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector(".chosen").textContent, null, { timeout: 5000 }).catch(() => {});
  const copied = await page.locator(".chosen").textContent();
  check(/copied|Here is the link/.test(copied), `the link is copied: ${copied}`);
  const link = await page.evaluate(() => { const g = document.querySelector("result-grid"); return g.offers(g.at).at(-1).copy; });
  check(/build=\d+/.test(link) && /test=/.test(link), `the cell's link: ${link}`);
}

// A link to a cell far below shows that cell.
const far = grid + "?" + new URLSearchParams({ build: "1828409320300000120", test: "apps.TestVoyage447/leg_6_of_the_way_around_the_cape" });
await page.goto(base + far);
await page.waitForFunction(() => { const g = document.querySelector("result-grid.drawn"); return g && g.line(g.at.row)?.name.includes("TestVoyage447"); });
await settled(page);
check(await page.locator(".tip").isVisible() && (await page.locator(".tip").textContent()).includes("1828409320300000120"), "a link to a cell shows what it says");
await walk.picture(page, "linked");

// A finger that stays opens the menu; one that taps opens the run.
const phone = await browser.newContext({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
const small = await open(phone, grid);
const cell = await small.evaluate(() => {
  const g = document.querySelector("result-grid");
  g.scrollIntoView();
  const f = g.frame.getBoundingClientRect();
  return { x: f.left + 1 + g.names + 30, y: f.top + 1 + g.top + 3 * 20 + 10 };
});
const touch = await phone.newCDPSession(small);
await touch.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [cell] });
await small.waitForSelector(".menu:not([hidden])", { timeout: 3000 }).catch(() => {});
check(await small.locator(".menu").isVisible(), "a finger that stays opens the menu");
await touch.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
await settled(small);
check(small.url() === base + grid && await small.locator(".menu").isVisible(), "lifting it opens nothing else");
await walk.picture(small, "menu-phone");
await phone.close();

// Addresses as people have them from TestGrid.
for (const [from, to] of Object.entries({
  "/fleet-blocking#conformance&include-filter-by-regex=TestVoyage00[1-3]%2F&width=10": "/dashboards/fleet-blocking/conformance?include=TestVoyage00%5B1-3%5D%2F&width=10",
  "/r/k8s-results/fleetblocking#Conformance&sort-by-failures=&exclude-non-failed-tests=": "/dashboards/fleet-blocking/conformance?only=failures&sort=failures",
  "/fleet-blocking#conformance&graph-metrics=test-duration-minutes": "/dashboards/fleet-blocking/conformance/graph?metric=test-duration-minutes",
  "/fleet#fleet-informing": "/dashboards/fleet-informing",
  "/fleet-blocking#Summary": "/dashboards/fleet-blocking#Summary",
})) {
  await page.goto(base + from);
  await page.waitForURL(base + to, { timeout: 5000 }).catch(() => {});
  check(page.url() === base + to, `${from} leads to ${page.url()}`);
}
await page.goto(base + "/fleet-blocking#no-such-tab");
check(await page.locator("text=no tab that is called no-such-tab").isVisible(), "a tab that is not there is told");

// What is asked for is in the address.
await page.goto(base + grid);
await page.selectOption("select[name=sort]", "failures");
await page.check("input[name=only]");
await page.fill("input[name=exclude]", "storage");
await page.click("button:has-text('Show')");
await page.fill("input[name=exclude] >> nth=1", "network");
await page.click("button:has-text('Show')");
await page.waitForURL(/network/);
await page.waitForSelector("result-grid.drawn");
const address = new URL(page.url());
check(address.searchParams.get("sort") === "failures" && address.searchParams.get("only") === "failures" && address.searchParams.getAll("exclude").join() === "storage,network", `the address is ${address}`);
check(!(await page.evaluate(() => document.querySelector("result-grid").rows.some((r) => /^(storage|network)/.test(r?.name)))), "excluded rows are gone");

// Groups close and open.
await page.goto(base + pages.grouped);
await page.waitForSelector("result-grid.drawn");
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

await walk.end();
