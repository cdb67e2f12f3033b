// A whole visit to the shop: search, cart, checkout, payment by the wallet, receipt. Prints TAP.
//
//     node visit.mjs SANDBOX BIN OUT
//
// Screenshots of every page go to OUT; every page is looked over by axe-core.
import { chromium } from "playwright-core";
import { execFile } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import { promisify } from "node:util";

const [, , sandbox, bin, out] = process.argv;
const state = JSON.parse(fs.readFileSync(`${sandbox}/sandbox.json`, "utf8"));
const shop = state.store_url;
const axe = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const run = promisify(execFile);
let n = 0;

function ok(name, right, why = "") {
  n++;
  console.log(`${right ? "" : "not "}ok ${n} - ${name}`);
  if (!right && why) console.log(String(why).replace(/^/gm, "# "));
}

// What goes wrong in a step is told as that step's failure, and the visit ends there.
async function step(name, act) {
  try {
    const said = await act();
    ok(name, said !== false, said);
  } catch (error) {
    ok(name, false, error.stack);
    throw error;
  }
}

const wallet = (...words) =>
  run(`${bin}/setpay-wallet`, ["--socket", state.wallet_socket, "--json", ...words]).then(
    (done) => JSON.parse(done.stdout),
    (failed) => JSON.parse(failed.stdout)
  );

// The page as it is: a picture of it, and what axe-core finds in it.
async function look(visit, name) {
  const { page, label } = visit;
  await page.screenshot({ path: `${out}/${name}-${label}.png`, fullPage: true });
  // The policy of the pages forbids scripts from elsewhere; a debugger's are not the page's.
  const found = await page.evaluate(`(() => { ${axe}; return axe.run(); })()`);
  const bad = found.violations.filter((v) => v.impact === "serious" || v.impact === "critical");
  ok(
    `${label}: ${name} is accessible`,
    bad.length === 0,
    bad.map((v) => `${v.id}: ${v.help}\n  ${v.nodes.map((node) => node.html).join("\n  ")}`).join("\n")
  );
  const width = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
  ok(`${label}: ${name} fits the width`, width <= 0, `${width} pixels too wide`);
}

async function fill(page) {
  await page.getByLabel("Name", { exact: true }).fill("Ada Lovelace");
  await page.getByLabel("Street and number").fill("Weg 1");
  await page.getByLabel("Postal code").fill("10115");
  await page.getByLabel("Town").fill("Berlin");
}

async function open(browser, label, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const visit = { page, label, context, wrong: [] };
  page.on("console", (said) => said.type() === "error" && visit.wrong.push(said.text()));
  page.on("pageerror", (error) => visit.wrong.push(error.message));
  page.on("request", (asked) => asked.url().startsWith(shop) || visit.wrong.push(asked.url()));
  page.setDefaultTimeout(15000);
  return visit;
}

async function end(visit) {
  ok(`${visit.label}: no error, and nothing asked of anybody else`, visit.wrong.length === 0,
    visit.wrong.join("\n"));
  await visit.context.close();
}

async function buy(browser, label, options) {
  const visit = await open(browser, label, options);
  const { page } = visit;
  await step(`${label}: the shop is there`, () => page.goto(shop));
  await look(visit, "front");
  await step(`${label}: a search finds`, async () => {
    await page.getByRole("searchbox").fill("teap");
    await page.getByRole("button", { name: "Search" }).click();
    await page.getByRole("link", { name: "Teapot" }).waitFor();
  });
  await look(visit, "search");
  await step(`${label}: a category can be sorted and filtered`, async () => {
    await page.goto(`${shop}/categories/tea`);
    await page.getByLabel("Sort by").selectOption("price");
    await page.getByLabel("To (EUR)").fill("9");
    await page.getByRole("button", { name: "Apply" }).click();
    await page.waitForURL("**max=9**");
    return (await page.locator(".goods li").count()) > 0;
  });
  await look(visit, "category");
  await step(`${label}: a product`, async () => {
    await page.goto(`${shop}/products/teapot`);
    await page.getByText("Includes 19 % VAT, plus shipping.").waitFor();
  });
  await look(visit, "product");
  await step(`${label}: goes into the cart`, async () => {
    await page.getByLabel("sand").check();
    await page.getByRole("button", { name: "Put into the cart" }).click();
    await page.getByText("It is in your cart.").waitFor();
    await page.getByRole("cell", { name: "54.80 EUR" }).waitFor();
  });
  await look(visit, "cart");
  await step(`${label}: another country costs another sum, at once`, async () => {
    await page.getByLabel("Sent to").selectOption("AT");
    await page.getByRole("cell", { name: "59.80 EUR" }).waitFor();
    await page.getByLabel("Sent to").selectOption("DE");
    await page.getByRole("cell", { name: "54.80 EUR" }).waitFor();
  });
  await step(`${label}: what is missing at the checkout is said`, async () => {
    await page.getByRole("link", { name: "To the checkout" }).click();
    await fill(page);
    await page.getByLabel("Town").fill(" ");
    await page.getByRole("button", { name: /^Order/ }).click();
    await page.getByText("Please give the town.").waitFor();
    return (await page.getByLabel("Street and number").inputValue()) === "Weg 1";
  });
  visit.wrong = visit.wrong.filter((said) => !/status of 422/.test(said)); // as it should be
  await look(visit, "checkout");
  await step(`${label}: the order is made`, async () => {
    await page.getByLabel("Town").fill("Berlin");
    await page.getByRole("button", { name: /^Order/ }).click();
    await page.getByText("Not paid yet.").waitFor();
  });
  await look(visit, "order");
  const link = await page.getByRole("link", { name: /^Pay with/ }).getAttribute("href");
  await step(`${label}: the page says by itself that the bank has refused, and why`, async () => {
    const cards = (await wallet("card", "list")).cards;
    const poor = cards.find((card) => card.label === "no-funds");
    const paid = await wallet("pay", link, "--yes", "--card", poor.id);
    await page.getByText("There is not enough money").first().waitFor();
    return paid.status === "declined";
  });
  await look(visit, "declined");
  await step(`${label}: the page says by itself that it is paid`, async () => {
    const paid = await wallet("pay", link, "--yes");
    await page.getByText("is held on your card").first().waitFor();
    await page.getByText(`approval ${paid.approval_code}`).waitFor();
  });
  await look(visit, "paid");
  await step(`${label}: and the link to pay is gone`, async () => (await page.locator("a[href^=setpay]").count()) === 0);
  await end(visit);
}

async function withoutScript(browser) {
  const label = "without JavaScript";
  const visit = await open(browser, label, { viewport: { width: 390, height: 800 }, javaScriptEnabled: false });
  const { page } = visit;
  await step(`${label}: from a product to the payment`, async () => {
    await page.goto(`${shop}/products/black-tea`);
    await page.getByRole("button", { name: "Put into the cart" }).click();
    await page.getByLabel("Sent to").selectOption("AT");
    await page.getByRole("button", { name: "Reckon again" }).click();
    await page.getByText("The cart was changed.").waitFor();
    await page.getByRole("link", { name: "To the checkout" }).click();
    await fill(page);
    await page.getByLabel("Country").selectOption("DE");
    await page.getByRole("button", { name: /^Order/ }).click();
    await page.getByText("The total has changed").waitFor();
    await page.getByRole("button", { name: /^Order/ }).click();
    await page.getByText("Not paid yet.").waitFor();
  });
  await page.screenshot({ path: `${out}/order-without-script.png`, fullPage: true });
  await step(`${label}: the page is loaded again until it is paid`, async () => {
    const link = await page.getByRole("link", { name: /^Pay with/ }).getAttribute("href");
    await wallet("pay", link, "--yes");
    await page.getByText("is held on your card").first().waitFor();
  });
  visit.wrong = visit.wrong.filter((said) => !/status of 409/.test(said));
  await end(visit);
}

async function byKeyboard(browser) {
  const label = "by keyboard";
  const visit = await open(browser, label, { viewport: { width: 1280, height: 900 } });
  const { page } = visit;
  await step(`${label}: the first key leads past the head`, async () => {
    await page.goto(`${shop}/products/jug`);
    await page.keyboard.press("Tab");
    const first = await page.evaluate("document.activeElement.textContent");
    await page.keyboard.press("Enter");
    return first === "To the content";
  });
  await step(`${label}: a return key in the form puts into the cart, and takes nothing out of it`, async () => {
    await page.getByLabel("Quantity").focus();
    await page.keyboard.press("Enter");
    await page.getByText("It is in your cart.").waitFor();
    await page.getByLabel("Quantity of Jug").fill("2");
    await page.keyboard.press("Enter");
    await page.getByText("The cart was changed.").waitFor();
    return (await page.getByLabel("Quantity of Jug").inputValue()) === "2";
  });
  await end(visit);
}

fs.mkdirSync(out, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"] });
try {
  await buy(browser, "desktop", { viewport: { width: 1280, height: 900 }, colorScheme: "light" });
  await buy(browser, "phone", { viewport: { width: 390, height: 844 }, colorScheme: "dark", hasTouch: true });
  await withoutScript(browser);
  await byKeyboard(browser);
} catch {
  // it has been told
} finally {
  await browser.close();
  console.log(`1..${n}`);
}
