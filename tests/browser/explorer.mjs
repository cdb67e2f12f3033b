// The explorer's page, opened from its file: at a desk's and a phone's width, in light and dark. Prints TAP.
//
//     node explorer.mjs PAGE OUT NAME
//
// Screenshots go to OUT; the page is looked over by axe-core with all that it folds away opened.
import { chromium } from "playwright-core";
import fs from "node:fs";
import { createRequire } from "node:module";

const [, , file, out, name] = process.argv;
const axe = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let n = 0;

function ok(what, right, why = "") {
  n++;
  console.log(`${right ? "" : "not "}ok ${n} - ${name}: ${what}`);
  if (!right && why) console.log(String(why).replace(/^/gm, "# "));
}

// What may differ in another scheme.
const onlyColours = { runOnly: ["color-contrast", "link-in-text-block"] };

async function look(browser, label, width, colorScheme) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
  const page = await context.newPage();
  const wrong = [];
  page.on("console", (said) => wrong.push(said.text()));
  page.on("pageerror", (error) => wrong.push(error.message));
  page.on("request", (asked) => asked.url() === `file://${file}` || wrong.push(asked.url()));
  await page.goto(`file://${file}`);
  await page.screenshot({ path: `${out}/${name}-${label.replace(" ", "-")}.png`, fullPage: true });
  const styled = await page.evaluate("getComputedStyle(document.querySelector('.trio')).display");
  ok(`${label}, its policy lets its style in`, styled === "grid", styled);
  const columns = await page.evaluate(
    "getComputedStyle(document.querySelector('.rows .trio')).gridTemplateColumns.split(' ').length");
  ok(`${label}, three columns or one below the other`, columns === (width > 832 ? 3 : 1), columns);
  await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })");
  await page.evaluate(`(() => { ${axe} })()`);
  const found = await page.evaluate((only) => window.axe.run(only), colorScheme === "light" ? {} : onlyColours);
  const bad = found.violations.filter((v) => v.impact === "serious" || v.impact === "critical");
  ok(`${label}, is accessible`, bad.length === 0,
    bad.map((v) => `${v.id}: ${v.help}\n  ${v.nodes.map((node) => node.html).join("\n  ")}`).join("\n"));
  const wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
  ok(`${label}, fits the width`, wide <= 0, `${wide} pixels too wide`);
  const names = await page.getByRole("article").evaluateAll((all) => all.map((one) => one.getAttribute("aria-label")));
  ok(`${label}, each row has a cell for each party, with its name`,
    names.length > 0 && names.every((one, i) => one.startsWith(["Wallet: ", "Merchant: ", "Gateway: "][i % 3])), names);
  const told = await page.getByRole("alert").count();
  ok(`${label}, says whether all holds`, told === (name === "explorer-edited" ? 1 : 0), told);
  ok(`${label}, no error, and nothing asked of anybody`, wrong.length === 0, wrong.join("\n"));
  await context.close();
}

fs.mkdirSync(out, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"] });
try {
  for (const [label, width] of [["desktop", 1280], ["phone", 390]])
    for (const scheme of ["light", "dark"]) await look(browser, `${label} ${scheme}`, width, scheme);
} catch (error) {
  ok("can be looked at", false, error.stack);
} finally {
  await browser.close();
  console.log(`1..${n}`);
}
