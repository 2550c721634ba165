// Looks at the pages of clusters as test/triagepages serves them: on a phone and
// on a desk, in light and dark, with and without script.
//
//   go build -o /tmp/triagepages ./test/triagepages && node test/e2e/triage.mjs /tmp/triagepages FOLDER
import { begin } from "./browser.mjs";

const walk = await begin("triage.mjs");
const { base, browser, check } = walk;

async function look(context, name, path) {
  const page = await walk.page(context);
  const answer = await page.goto(base + path, { waitUntil: "load" });
  check(answer.status() === 200, `${name}: ${answer.status()}`);
  check((await answer.body()).length < 300_000, `${name}: ${(await answer.body()).length} bytes`);
  await walk.sound(page, name);
  await walk.picture(page, name);
  return page;
}

await walk.everywhere([["phone", 360, 800], ["desk", 1400, 1000]], async (context, where) => {
  const list = await look(context, `triage-${where}`, "/triage");
  check(/clusters of [\d,]+ failures \([\d,]+ in last day\) out of [\d,]+ builds from/.test(await list.textContent(".tri-says")), `${where}: the sentence`);
  const cluster = await look(context, `cluster-${where}`, await list.getAttribute(".tri-head", "href"));
  check((await cluster.locator(".tri-whole mark").count()) > 0, `${where}: varying words are marked`);
});

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
await walk.picture(page, "refused");
await page.goto(base + "/triage");
await page.locator('a[rel="next"]').click();
check(/from=25/.test(page.url()), "the next page has its address");

await walk.end();
