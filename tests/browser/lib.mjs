// What the visits of a browser have in common: TAP, steps, a look at a page, the wallet.
//
//     node VISIT.mjs SANDBOX BIN OUT
//
// Pictures of every page go to OUT; every page is looked over by axe-core.
import { chromium } from "playwright-core";
import { execFile } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import { promisify } from "node:util";

const [, , sandbox, bin, out] = process.argv;
export const state = JSON.parse(fs.readFileSync(`${sandbox}/sandbox.json`, "utf8"));
export const shop = state.store_url;
const axe = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const run = promisify(execFile);
let n = 0;
let failures = 0;

export function ok(name, right, why = "") {
  n++;
  failures += right ? 0 : 1;
  console.log(`${right ? "" : "not "}ok ${n} - ${name}`);
  if (!right && why) console.log(String(why).replace(/^/gm, "# "));
}

// A step fails where it throws, or gives false or words: what is there instead. The visits end there.
export async function step(name, act) {
  try {
    const said = await act();
    if (said === false || typeof said === "string") throw new Error(`found: ${said}`);
    ok(name, true);
  } catch (error) {
    ok(name, false, error.stack);
    throw error;
  }
}

export const wallet = (...words) =>
  run(`${bin}/setpay-wallet`, ["--socket", state.wallet_socket, "--json", ...words]).then(
    (done) => JSON.parse(done.stdout),
    (failed) => JSON.parse(failed.stdout)
  );

// A desk in light, a phone in dark; with SETPAY_LONG=1 a look at a page is one in both.
export const desk = { viewport: { width: 1280, height: 900 }, colorScheme: "light" };
export const phone = { viewport: { width: 390, height: 844 }, colorScheme: "dark", hasTouch: true, isMobile: true };
const isLong = process.env.SETPAY_LONG === "1";

// A browser that nobody has used before; whatever it asks of others than `where` is wrong.
export async function open(browser, label, where, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const { width } = options.viewport;
  const visit = { page, label, context, width, schemes: isLong ? ["light", "dark"] : [options.colorScheme], wrong: [] };
  page.on("console", (said) => said.type() === "error" && visit.wrong.push(said.text()));
  page.on("pageerror", (error) => visit.wrong.push(error.message));
  page.on("request", (asked) => asked.url().startsWith(where) || visit.wrong.push(asked.url()));
  page.setDefaultTimeout(15000);
  return visit;
}

// An answer that is as it should be, though the browser counts it as an error.
export function expected(visit, status) {
  visit.wrong = visit.wrong.filter((said) => !said.includes(`status of ${status}`));
}

export async function end(visit) {
  ok(`${visit.label}: no error, and nothing asked of anybody else`, visit.wrong.length === 0,
    visit.wrong.join("\n"));
  await visit.context.close();
}

export const picture = ({ page, label }, name) =>
  page.screenshot({ path: `${out}/${name}-${label}.png`, fullPage: true });

// What may differ in another scheme.
const onlyColours = { runOnly: ["color-contrast", "link-in-text-block"] };

// The page as it is: a picture of it, and what axe-core finds in it.
export async function look(visit, name) {
  const { page, label } = visit;
  const bad = [];
  // Pictures that wait until they are scrolled to.
  await page.evaluate(() =>
    Promise.all([...document.images].map((image) => {
      image.loading = "eager";
      return image.decode().catch(() => {});
    }))
  );
  for (const scheme of visit.schemes) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    await picture({ page, label: `${label}-${scheme}` }, name);
    // The policy of the pages forbids scripts from elsewhere; a debugger's are not the page's.
    await page.evaluate(`window.axe || (() => { ${axe} })()`);
    const found = await page.evaluate((only) => window.axe.run(only), scheme === visit.schemes[0] ? {} : onlyColours);
    for (const v of found.violations)
      if (v.impact === "serious" || v.impact === "critical")
        bad.push(`${scheme}: ${v.id}: ${v.help}\n  ${v.nodes.map((node) => node.html).join("\n  ")}`);
      else console.log(`# ${label}: ${name}: ${v.impact}: ${v.id}: ${v.nodes[0].html.slice(0, 100)}`);
  }
  ok(`${label}: ${name} is accessible`, bad.length === 0, bad.join("\n"));
  const width = await tooWide(page);
  ok(`${label}: ${name} fits the width`, width <= 0, `${width} pixels too wide`);
  // Also the narrowest phone, or a desk's page at four times its size (WCAG 2.1, 1.4.10).
  const { height } = page.viewportSize();
  await page.setViewportSize({ width: 320, height });
  const narrow = await tooWide(page);
  await page.setViewportSize({ width: visit.width, height });
  ok(`${label}: ${name} fits 320 pixels`, narrow <= 0, `${narrow} pixels too wide`);
}
const tooWide = (page) => page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");

// Tab until what this names has the focus, which must be seen to have it.
export async function tabTo(page, name, limit = 80) {
  const seen = [];
  for (let i = 0; i < limit; i++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const one = document.activeElement;
      const style = getComputedStyle(one);
      return {
        name: (one.getAttribute("aria-label") ?? one.labels?.[0]?.textContent ?? one.textContent).trim(),
        shown: style.outlineStyle !== "none" || style.boxShadow !== "none"
      };
    });
    if (!at.shown) throw new Error(`the focus is not to be seen at: ${at.name}`);
    if (typeof name === "string" ? at.name.startsWith(name) : name.test(at.name)) return;
    seen.push(at.name);
  }
  throw new Error(`no way by Tab to ${name}, but to: ${seen.join(", ")}`);
}

// All visits of a script, each a function of the browser; the plan at the end.
export async function visits(...all) {
  fs.mkdirSync(out, { recursive: true });
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox"] });
  try {
    for (const visit of all) await visit(browser);
  } catch {
    // it has been told
    failures += 1;
  } finally {
    await browser.close();
    console.log(`1..${n}`);
    process.exitCode = failures === 0 ? 0 : 1;
  }
}

// ------------------------------------------------------------------ what a shopper does
export async function fill(page) {
  await page.getByLabel("Name", { exact: true }).fill("Ada Lovelace");
  await page.getByLabel("Street and number").fill("Weg 1");
  await page.getByLabel("Postal code").fill("10115");
  await page.getByLabel("Town").fill("Berlin");
}

// Puts a product into the cart; `kind` is the variant's words, where there are several.
export async function put(page, slug, { kind, quantity = 1 } = {}) {
  await page.goto(`${shop}/products/${slug}`);
  if (kind) await page.getByLabel(kind).check();
  await page.getByLabel("Quantity").fill(String(quantity));
  await page.getByRole("button", { name: "Put into the cart" }).click();
  await page.getByText("It is in your cart.").waitFor();
}

// From a cart to the page of its order; gives the link that pays.
export async function order(page) {
  await page.goto(`${shop}/checkout`);
  await fill(page);
  await page.getByRole("button", { name: /^Order/ }).click();
  await page.getByText("Not paid yet.").waitFor();
  return page.getByRole("link", { name: /^Pay with/ }).getAttribute("href");
}
