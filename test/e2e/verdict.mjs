// Walks the signal report and the pages of tests in a browser, on a phone and on
// a desk, in light and dark, with and without script. Keeps a picture of each.
//
//   go build -o /tmp/gridpages ./test/gridpages && node test/e2e/verdict.mjs /tmp/gridpages FOLDER
import { begin } from "./browser.mjs";

const walk = await begin("verdict.mjs");
const { base, browser, check } = walk;
const open = (context, path) => walk.open(context, path);

// A test that does not pass, found as a person would.
const finder = await browser.newContext({ javaScriptEnabled: false });
const list = await open(finder, "/tests");
const failing = list.locator(".tests a").first();
const name = await failing.textContent();
check(name !== "", "a test that does not pass is listed");
await failing.click();
check((await list.locator("h1").textContent()).includes(name), "the link leads to the test");
check(await list.locator(".test-jobs li").first().isVisible(), "its jobs are listed without script");
const test = new URL(list.url()).pathname + new URL(list.url()).search;
await list.goto(base + "/tests");
await list.fill("input[name=q]", "voyage");
await list.press("input[name=q]", "Enter");
check(new URL(list.url()).searchParams.get("q") === "voyage", "a search is in the address");
check((await list.locator(".tests li").count()) > 0, "a search finds tests");
await list.goto(base + "/tests?q=nothing-of-the-kind");
check(await list.locator("text=No test has a name like that.").isVisible(), "a search that finds nothing says so");
await finder.close();

const pages = { report: "/signal/report", "report-wrong": "/signal/report?at=soon", tests: "/tests", found: "/tests?q=voyage", test };
await walk.everywhere([["phone", 360, 740], ["desk", 1280, 900], ["wall", 3840, 2160]], async (context, where) => {
  for (const [name, path] of Object.entries(pages)) {
    const page = await open(context, path);
    for (const d of await page.locator("details").all()) await d.evaluate((e) => (e.open = true));
    await walk.picture(page, `${name}-${where}`, { fullPage: true });
    await walk.sound(page, `${name} ${where}`);
    await page.close();
  }
});

// The report says why, links to what it speaks of, and its details open by keyboard.
const desk = await browser.newContext({ viewport: { width: 1280, height: 900 } });
const report = await open(desk, "/signal/report");
check((await report.locator(".report-branch .pill").first().textContent()).match(/red|yellow|green/), "a branch has a colour with its word");
const details = report.locator(".report-jobs details").first();
await details.locator("summary").focus();
await report.keyboard.press("Enter");
check(await details.evaluate((e) => e.open), "details open by keyboard");
check((await details.locator("table.criteria tbody tr").count()) === 8, "each criterion has a row");
await details.locator("a").first().click();
check(report.url().includes("/tests?name="), "a failing test leads to its page");
const markdown = await desk.request.get(base + "/signal/report.md");
check((await markdown.text()).startsWith("# Signal of "), "the report is there as Markdown");
const json = await (await desk.request.get(base + "/signal/report.json")).json();
check(["red", "yellow", "green"].includes(json.color) && json.branches.length > 0, "the report is there as JSON");
const weight = (await (await desk.request.get(base + "/signal/report")).body()).length;
check(weight < 300e3, `the report weighs ${weight} bytes`);

await walk.end();
