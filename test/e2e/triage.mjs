// Looks at the pages of clusters as test/triagepages serves them: on a phone and
// on a desk, in light and dark, with and without script.
//
//   go build -o /tmp/triagepages ./test/triagepages && node test/e2e/triage.mjs /tmp/triagepages FOLDER
import { chromium } from "playwright-core";
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

const [program, folder] = process.argv.slice(2);
if (!program || !folder) {
  console.error("usage: node triage.mjs PROGRAM-OR-URL FOLDER");
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
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
let passed = 0;
const failures = [];
const check = (holds, what) => (holds ? passed++ : failures.push(what));

async function look(page, name, path) {
  const problems = [];
  page.on("console", (m) => m.type() === "error" && problems.push(m.text()));
  page.on("pageerror", (e) => problems.push(String(e)));
  const answer = await page.goto(base + path, { waitUntil: "load" });
  check(answer.status() === 200, `${name}: ${answer.status()}`);
  check((await answer.body()).length < 300_000, `${name}: ${(await answer.body()).length} bytes`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  check(wide <= 0, `${name}: ${wide} px wider than the window`);
  check(problems.length === 0, `${name}: ${problems.join("; ")}`);
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

for (const [size, width, height] of [["phone", 360, 800], ["desk", 1400, 1000]]) {
  for (const colorScheme of ["light", "dark"]) {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme });
    const page = await context.newPage();
    await look(page, `triage-${size}-${colorScheme}`, "/triage");
    check(/clusters of [\d,]+ failures \([\d,]+ in last day\) out of [\d,]+ builds from/.test(await page.textContent(".tri-says")), `${size}: the sentence`);
    await look(page, `cluster-${size}-${colorScheme}`, await page.getAttribute(".tri-head", "href"));
    check((await page.locator(".tri-whole mark").count()) > 0, `${size}: varying words are marked`);
    await context.close();
  }
}

// A person filters by keyboard alone and without script; the address says it all.
const plain = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 1400, height: 1000 } });
const page = await plain.newPage();
await page.goto(base + "/triage");
const before = await page.textContent(".tri-says");
await page.focus('input[name="text"]');
await page.keyboard.type("timed out");
await page.keyboard.press("Enter");
await page.waitForURL(/text=timed/);
check((await page.textContent(".tri-says")) !== before, "filtering changes what is shown");
check((await page.inputValue('input[name="text"]')) === "timed out", "the form keeps the filter");
await page.locator(".tri-owners a").first().click();
check(/owner=/.test(page.url()) && /text=timed/.test(page.url()), "an owner is picked, the text kept");
await page.goto(base + "/triage?text=(");
check((await page.textContent("[role=alert]")).includes("no regular expression"), "a wrong expression is told");
await page.screenshot({ path: join(folder, "refused.png") });
await page.goto(base + "/triage");
await page.locator('a[rel="next"]').click();
check(/from=25/.test(page.url()), "the next page has its address");

await browser.close();
server?.stdin.end();
console.log(`${passed} checks held`);
for (const f of failures) console.error("failed: " + f);
process.exit(failures.length ? 1 : 0);
