// Walks the signal report and the pages of tests in a browser, on a phone and on
// a desk, in light and dark, with and without script. Keeps a picture of each.
//
//   go build -o /tmp/gridpages ./test/gridpages && node test/e2e/verdict.mjs /tmp/gridpages FOLDER
import { chromium } from "playwright-core";
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

const [program, folder] = process.argv.slice(2);
if (!program || !folder) {
  console.error("usage: node verdict.mjs PROGRAM-OR-URL FOLDER");
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
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
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
  return page;
}

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
for (const scheme of ["light", "dark"]) {
  for (const [size, width, height] of [["phone", 360, 740], ["desk", 1280, 900], ["wall", 3840, 2160]]) {
    const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height } });
    for (const [name, path] of Object.entries(pages)) {
      const page = await open(context, path);
      for (const d of await page.locator("details").all()) await d.evaluate((e) => (e.open = true));
      await page.screenshot({ path: join(folder, `${name}-${size}-${scheme}.png`), fullPage: true });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      check(wide <= 0, `${name} ${size}: ${wide} px wider than the window`);
      check(page.problems.length === 0, `${name} ${size} ${scheme}: ${page.problems.join("; ")}`);
      await page.close();
    }
    await context.close();
  }
}

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

await browser.close();
server?.stdin.end();
for (const f of failures) console.error("✕", f);
console.log(`${passed} checks held, ${failures.length} did not`);
process.exit(failures.length ? 1 : 0);
