// What every walk begins and ends with: the program whose pages are walked, the
// browser, what was checked, and the verdict.
import { chromium } from "playwright-core";
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

// The walk of a script that is called with PROGRAM-OR-URL FOLDER [ARGUMENT...].
// The program prints its address and ends with its standard input.
export async function begin(script) {
  const [program, folder, ...options] = process.argv.slice(2);
  if (!program || !folder) {
    console.error(`usage: node ${script} PROGRAM-OR-URL FOLDER [ARGUMENT OF PROGRAM...]`);
    process.exit(2);
  }
  mkdirSync(folder, { recursive: true });
  let server, base = program;
  if (!program.startsWith("http")) {
    server = spawn(program, options, { stdio: ["pipe", "pipe", "inherit"] });
    base = await new Promise((found, failed) => {
      server.stdout.once("data", (text) => found(String(text).trim()));
      server.once("error", failed);
      server.once("exit", (code) => failed(new Error(`${program} ended with ${code}`)));
    });
  }
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-precise-memory-info"],
  });
  return new Walk(base, folder, browser, server);
}

class Walk {
  passed = 0;
  failures = [];

  constructor(base, folder, browser, server) {
    Object.assign(this, { base, folder, browser, server });
  }

  check = (holds, what) => (holds ? this.passed++ : this.failures.push(what));

  picture = (page, name, options) => page.screenshot({ path: join(this.folder, `${name}.png`), ...options });

  // A page of a context, with what goes wrong in it collected in its problems.
  async page(context) {
    const page = await context.newPage();
    page.problems = [];
    page.on("console", (m) => m.type() === "error" && page.problems.push(m.text()));
    page.on("pageerror", (e) => page.problems.push(String(e)));
    return page;
  }

  // Opens a path in a page of its own, which must be there.
  async open(context, path) {
    const page = await this.page(context);
    const answer = await page.goto(this.base + path, { waitUntil: "load" });
    this.check(answer.status() === 200, `${path}: ${answer.status()}`);
    return page;
  }

  // What holds of every page: as wide as the window, and no error.
  async sound(page, name) {
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    this.check(wide <= 0, `${name}: ${wide} px wider than the window`);
    this.check(page.problems.length === 0, `${name}: ${page.problems.join("; ")}`);
  }

  // Calls a function with a context for each size of screen, in light and dark.
  async everywhere(sizes, visit) {
    for (const colorScheme of ["light", "dark"]) {
      for (const [size, width, height, deviceScaleFactor = 1] of sizes) {
        const context = await this.browser.newContext({ colorScheme, viewport: { width, height }, deviceScaleFactor });
        await visit(context, `${size}-${colorScheme}`, size);
        await context.close();
      }
    }
  }

  async end() {
    await this.browser.close();
    this.server?.stdin.end();
    for (const f of this.failures) console.error("✕ " + f);
    console.log(`${this.passed} checks held, ${this.failures.length} did not`);
    process.exit(this.failures.length ? 1 : 0);
  }
}

// Contrast of the text a person reads, by WCAG's formula, over every element
// that holds text of its own: what is below 4.5. Runs within a page.
export const contrast = () => {
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

// Two frames of the page have been drawn.
export const settled = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
