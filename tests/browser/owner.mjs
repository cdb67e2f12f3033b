// The owner's side: signing in, an order that is sent in two parts and given back in part while the shopper looks on,
// what is to be sent and was, goods with their pictures, stock, what was sent to webhooks, and what is refused. See
// lib.mjs.
import fs from "node:fs";
import http from "node:http";
import { desk, end, expected, look, open, order, phone, put, shop, state, step, tabTo, visits, wallet } from "./lib.mjs";

const owner = state.admin_url;
const password = fs.readFileSync(state.admin_password_file, "utf8").trim();

async function signIn(page, words) {
  await page.getByLabel("Account").fill(state.admin_account);
  await page.getByLabel("Password").fill(words);
  await page.getByRole("button", { name: "Sign in" }).click();
}

// The cells of the first row that has these words.
const cells = async (page, words) =>
  (await page.getByRole("row", { name: words }).first().getByRole("cell").allInnerTexts()).map((text) => text.trim());
// Nothing where both are the same; else what there is.
const differs = (got, expected) => {
  if (JSON.stringify(got) !== JSON.stringify(expected)) return JSON.stringify(got);
};
// How many pieces of a line there are, were sent, and came back.
const pieces = async (page, name, ...expected) =>
  differs((await cells(page, name)).slice(1, 4), expected.map(String));

// The amounts of the receipt's rows of that kind.
const sums = (page, kind) => page.getByRole("row", { name: kind }).locator(".amount").allInnerTexts();

async function enter(visit) {
  const { page, label } = visit;
  await step(`${label}: nobody sees the orders without signing in`, async () => {
    await page.goto(owner);
    await page.waitForURL("**/signin");
  });
  await look(visit, "owner-signin");
  await step(`${label}: a wrong password is told`, async () => {
    await signIn(page, "a wrong password");
    await page.getByText("There is no such account with this password.").waitFor();
  });
  expected(visit, 403);
  await look(visit, "owner-signin-wrong");
  await step(`${label}: the right one leads to the orders`, async () => {
    await signIn(page, password);
    await page.getByRole("heading", { name: "Orders" }).waitFor();
  });
}

// An order of two cups and a teapot, of which the owner sends a cup, then the rest, and takes a cup back.
async function trade(visit, shopper) {
  const { page, label } = visit;
  let link;
  await step(`${label}: a shopper orders two cups and a teapot`, async () => {
    await put(shopper.page, "cup", { kind: "slate", quantity: 2 });
    await put(shopper.page, "teapot", { kind: "sand" });
    link = await order(shopper.page);
  });
  await step(`${label}: the owner finds the order, which is not paid`, async () => {
    await page.goto(`${owner}/?q=Cup&status=open`);
    await page.getByRole("row").filter({ hasText: "Cup, slate" }).first().getByRole("link").click();
    await page.getByRole("button", { name: "End it" }).waitFor();
  });
  await look(visit, "owner-order-open");
  const place = page.url();
  await step(`${label}: the shopper pays, and the owner can send`, async () => {
    await wallet("pay", link, "--yes");
    await shopper.page.getByText("is held on your card").first().waitFor();
    await page.reload();
    await page.getByRole("button", { name: "Note as sent" }).waitFor();
  });
  await look(visit, "owner-order-paid");
  await step(`${label}: what is to be sent has it, with how much and where to`, async () => {
    await page.getByRole("navigation").getByRole("link", { name: "Shipments" }).click();
    const row = await cells(page, place.split("/").pop());
    return differs(row.slice(0, 2), [
      "2 × Cup, slate, 1 × Teapot, sand",
      "Ada Lovelace\nWeg 1\n10115 Berlin\nGermany",
    ]);
  });
  await look(visit, "owner-shipments");
  await step(`${label}: so has the list of orders that are paid`, async () => {
    await page.goto(owner);
    await page.getByLabel("Status").selectOption("authorised");
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByRole("row").filter({ hasText: "Cup, slate" }).first().waitFor();
  });
  await look(visit, "owner-orders");
  await step(`${label}: one cup is sent, and what it costs is captured`, async () => {
    await page.goto(place);
    await page.getByLabel("Cup, slate", { exact: true }).first().fill("1");
    await page.getByLabel("Teapot, sand", { exact: true }).first().fill("0");
    await page.getByLabel(/^Tracking/).fill("RR 123 456 DE");
    await page.getByRole("button", { name: "Note as sent" }).click();
    await page.getByText("The part is noted as sent.").waitFor();
    await page.getByText("partially captured").first().waitFor();
    return pieces(page, "Cup, slate", 2, 1, 0);
  });
  await look(visit, "owner-order-sent-in-part");
  await step(`${label}: the shopper sees it by itself, with what was taken`, async () => {
    await shopper.page.getByText("a part of the amount has been taken").first().waitFor();
    return differs(await sums(shopper.page, "Taken by the shop"), ["19.80 EUR"]); // a cup, and the parcel
  });
  await look(shopper, "sent-in-part");
  await step(`${label}: the rest is sent`, async () => {
    await page.getByRole("button", { name: "Note as sent" }).click();
    await page.getByText("The order is captured").first().waitFor();
    return pieces(page, "Teapot, sand", 1, 1, 0);
  });
  await look(visit, "owner-order-sent");
  await step(`${label}: the shopper sees that too`, async () => {
    await shopper.page.getByText("Paid.", { exact: true }).first().waitFor();
    return differs(await sums(shopper.page, "Taken by the shop"), ["19.80 EUR", "64.80 EUR"]);
  });
  await look(shopper, "sent");
  await step(`${label}: nothing of it is to be sent any more, and both parts were`, async () => {
    const row = page.getByRole("row", { name: place.split("/").pop() });
    await page.goto(`${owner}/shipments`);
    if ((await row.count()) !== 0) return "it is still to be sent";
    await page.getByRole("link", { name: "Sent", exact: true }).click();
    await row.first().waitFor();
    if (!(await row.last().innerText()).includes("RR 123 456 DE")) return "without its tracking";
    const count = await row.count();
    await page.goto(place);
    return differs(count, 2);
  });
  await step(`${label}: a cup comes back`, async () => {
    await page.getByRole("region", { name: "Give back, by line" }).getByLabel("Cup, slate").fill("1");
    await page.getByLabel("Back in stock").check();
    await page.getByRole("region", { name: "Give back, by line" }).getByRole("button").click();
    await page.getByText("The refund is asked for.").waitFor();
    await page.getByText("partially refunded").first().waitFor();
    return pieces(page, "Cup, slate", 2, 2, 1);
  });
  await look(visit, "owner-order-given-back");
  const id = place.split("/").pop();
  await step(`${label}: it is in stock again`, async () => {
    await page.goto(`${owner}/stock/CP-SLATE`);
    const [, change] = await cells(page, id);
    await page.goto(place);
    return differs(change, "+1");
  });
  await step(`${label}: and the shopper sees that its price was given back`, async () => {
    await shopper.page.getByText("Paid, and given back in part.").first().waitFor();
    return differs(await sums(shopper.page, "Given back"), ["14.90 EUR"]);
  });
  await look(shopper, "given-back");
  await step(`${label}: more than there is is not given back`, async () => {
    await page.getByRole("region", { name: "Give back an amount" }).getByLabel("Amount").fill("999.00");
    await page.getByRole("region", { name: "Give back an amount" }).getByRole("button").click();
    await page.getByRole("alert").filter({ hasText: "no more than 69.70 EUR is left to be refunded" }).waitFor();
  });
  expected(visit, 409);
  await look(visit, "owner-order-refused");
}

// An order that nobody pays, ended by the owner before the shopper's eyes; and one that is paid, and not sent.
async function giveUp(visit, shopper) {
  const { page, label } = visit;
  await step(`${label}: a candle is ordered, and not paid`, async () => {
    await put(shopper.page, "beeswax-candle");
    await order(shopper.page);
    await page.goto(`${owner}/?q=candle&status=open`);
    await page.getByRole("row").filter({ hasText: "Beeswax candle" }).first().getByRole("link").click();
  });
  await step(`${label}: the owner ends the order`, async () => {
    await page.getByRole("button", { name: "End it" }).click();
    await page.getByText("The order is ended.").waitFor();
  });
  await look(visit, "owner-order-cancelled");
  await step(`${label}: the shopper sees it, and can pay no more`, async () => {
    await shopper.page.getByText("Cancelled by the shop. Nothing was taken.").first().waitFor();
    return (await shopper.page.locator("a[href^=setpay]").count()) === 0;
  });
  await look(shopper, "cancelled");
  await step(`${label}: a candle is ordered and paid, and the owner has none`, async () => {
    await put(shopper.page, "beeswax-candle");
    await wallet("pay", await order(shopper.page), "--yes");
    await page.goto(`${owner}/?q=candle&status=authorised`);
    await page.getByRole("row").filter({ hasText: "Beeswax candle" }).first().getByRole("link").click();
    await page.getByRole("button", { name: "Give up 12.80 EUR" }).click();
    await page.getByText("The order is voided").first().waitFor();
  });
  await look(visit, "owner-order-voided");
  await step(`${label}: the shopper has the amount back`, async () => {
    await shopper.page.getByText("The shop has given the amount free again.").first().waitFor();
    return differs(await sums(shopper.page, "Given free"), ["12.80 EUR"]);
  });
  await look(shopper, "voided");
  await step(`${label}: a search for an order that there is none of`, async () => {
    await page.goto(`${owner}/?q=zeppelin`);
    await page.getByText("There is no such order.").waitFor();
  });
  await look(visit, "owner-orders-empty");
}

async function goods(visit) {
  const { page, label } = visit;
  const slug = `vase-${label}`;
  const sku = `VS-${label.toUpperCase()}`;
  await step(`${label}: the goods`, async () => {
    await page.getByRole("navigation").getByRole("link", { name: "Goods" }).click();
    await page.getByRole("link", { name: "Teapot" }).waitFor();
  });
  await look(visit, "owner-products");
  await step(`${label}: a product is added, as a draft`, async () => {
    await page.getByText("Add a product").click();
    await page.getByLabel("Name", { exact: true }).fill("Vase");
    await page.getByLabel("Short name").fill(slug);
    await page.getByLabel("SKU", { exact: true }).fill(sku);
    await page.getByLabel("Price in EUR").fill("24.90");
    await page.getByLabel("Price in JPY").fill("3900");
    await page.getByLabel("In stock").fill("4");
    await look(visit, "owner-product-new");
    await page.getByRole("button", { name: "Add as a draft" }).click();
    await page.getByRole("heading", { name: "Vase" }).waitFor();
  });
  await step(`${label}: it gets a variant and another price, and is published`, async () => {
    await page.getByText("Add a variant").click();
    const add = page.locator("details").filter({ hasText: "Add a variant" });
    await add.getByLabel("SKU").fill(`${sku}-L`);
    await add.getByLabel("Options").fill("size: large");
    await add.getByLabel("Price in EUR").fill("39.90");
    await add.getByRole("button", { name: "Add" }).click();
    await page.getByRole("link", { name: `${sku}-L` }).waitFor();
    const price = (code) => page.getByLabel(`Price of ${sku} in ${code}`, { exact: true });
    await price("EUR").fill("25.90");
    await price("USD").fill("27.90");
    await page.keyboard.press("Enter");
    await page.getByText("The product is changed.").waitFor();
    const all = await Promise.all(["EUR", "USD", "JPY"].map((code) => price(code).inputValue()));
    if (all.join(" ") !== "25.90 27.90 3900") return all.join(" ");
    await page.getByLabel("Status", { exact: true }).selectOption("published");
    await page.getByLabel("Description").fill("Of stoneware.\n\nBy hand.");
    await page.getByRole("button", { name: "Save" }).click();
    await page.locator(".badge").filter({ hasText: "published" }).waitFor();
  });
  await look(visit, "owner-product");
  await step(`${label}: a price that is none is told`, async () => {
    const price = (code) => page.getByLabel(`Price of ${sku} in ${code}`, { exact: true });
    await price("EUR").fill("26,50");
    await price("USD").fill("free");
    await price("USD").press("Enter");
    await page.getByRole("alert").filter({ hasText: "free" }).waitFor();
    const focus = await page.evaluate(() => [document.activeElement.name, document.activeElement.value].join(" "));
    if (focus !== "price_USD free") return `the focus is at ${focus}`;
    return (await price("EUR").inputValue()) === "26,50";
  });
  expected(visit, 409);
  await look(visit, "owner-product-refused");
  await step(`${label}: it is in the shop at that price`, async () => {
    const answer = await page.context().request.get(`${shop}/products/${slug}`);
    return answer.ok() && (await answer.text()).includes("25.90 EUR");
  });
  await step(`${label}: the stock`, async () => {
    await page.getByRole("navigation").getByRole("link", { name: "Stock" }).click();
    await page.getByRole("link", { name: "TP-SAND" }).waitFor();
  });
  await look(visit, "owner-stock");
  await step(`${label}: what is low or out`, async () => {
    await page.getByRole("link", { name: "Low or out" }).click();
    await page.getByText("out", { exact: true }).first().waitFor();
  });
  await look(visit, "owner-stock-low");
  await step(`${label}: two are broken`, async () => {
    await page.goto(`${owner}/stock/${sku}`);
    await page.getByLabel("Pieces").fill("-2");
    await page.getByLabel("Why").fill("broken");
    await page.getByRole("button", { name: "Change" }).click();
    await page.getByRole("cell", { name: "broken" }).waitFor();
  });
  await look(visit, "owner-stock-one");
  await step(`${label}: more than there are can't be`, async () => {
    await page.getByLabel("Pieces").fill("-3");
    await page.getByLabel("Why").fill("broken");
    await page.getByRole("button", { name: "Change" }).click();
    await page.getByRole("alert").filter({ hasText: "there would be -1" }).waitFor();
  });
  expected(visit, 409);
  await look(visit, "owner-stock-refused");
}

// A picture that is one: of a picture of the shop.
async function photograph(page, slug) {
  await page.goto(`${shop}/products/${slug}`);
  return page.locator("main img").first().screenshot({ type: slug === "teapot" ? "png" : "jpeg" });
}

// The pictures of the vase: each is put, described and moved by the keyboard alone.
async function pictures(visit) {
  const { page, label } = visit;
  const address = `${owner}/products/vase-${label}`;
  const section = page.getByRole("region", { name: "Pictures" });
  const alts = async () => section.getByRole("img").evaluateAll((all) => all.map((one) => one.alt));
  const add = async (name, buffer, alt) => {
    await section.getByLabel(/^Picture/).setInputFiles({ name, mimeType: "application/octet-stream", buffer });
    await section.locator("form").last().getByLabel(/^What it shows/).fill(alt);
    await section.getByRole("button", { name: "Add the picture" }).click();
  };
  const shopper = await page.context().newPage();
  const files = [await photograph(shopper, "teapot"), await photograph(shopper, "jug")];
  await shopper.close();
  await step(`${label}: a picture is put in`, async () => {
    await page.goto(address);
    await add("vase.png", files[0], "A vase on a table");
    await page.getByText("The product is changed.").waitFor();
    return differs(await alts(), ["A vase on a table"]);
  });
  await step(`${label}: and another one, of another kind`, async () => {
    await add("IMG_0001", files[1], "Its bottom");
    await section.getByRole("img", { name: "Its bottom" }).waitFor();
    return differs(await section.getByRole("img").evaluateAll((all) => all.map((one) => one.naturalWidth > 50)),
      [true, true]);
  });
  await look(visit, "owner-product-pictures");
  await step(`${label}: what is none is told`, async () => {
    await add("virus.png", Buffer.from("not a picture"), "Nothing");
    await page.getByRole("alert").filter({ hasText: "this is not a picture that is taken here" }).waitFor();
  });
  expected(visit, 409);
  await look(visit, "owner-product-picture-refused");
  await step(`${label}: by keyboard it is described anew`, async () => {
    await page.goto(address);
    await section.getByRole("img").first().waitFor();
    await tabTo(page, "What it shows");
    await page.keyboard.press("Control+A");
    await page.keyboard.type("A vase, from the side");
    await page.keyboard.press("Enter");
    await page.getByText("The product is changed.").waitFor();
    return differs(await alts(), ["A vase, from the side", "Its bottom"]);
  });
  await step(`${label}: and the other is moved before it`, async () => {
    await tabTo(page, "Earlier: Its bottom");
    await page.keyboard.press("Enter");
    await section.getByRole("button", { name: "Later: Its bottom" }).waitFor();
    return differs(await alts(), ["Its bottom", "A vase, from the side"]);
  });
  await step(`${label}: the shop shows it so`, async () => {
    const answer = await page.context().request.get(`${shop}/products/vase-${label}`);
    const text = await answer.text();
    return text.indexOf("Its bottom") > 0 && text.indexOf("Its bottom") < text.indexOf("A vase, from the side");
  });
  await step(`${label}: one is taken away`, async () => {
    await tabTo(page, "Take away: Its bottom");
    await page.keyboard.press("Enter");
    await section.getByRole("img", { name: "Its bottom" }).waitFor({ state: "detached" });
    return differs(await alts(), ["A vase, from the side"]);
  });
}

// A receiver that refuses what comes until it is told to take it.
async function receiver() {
  const got = { takes: false, ids: [] };
  const server = http.createServer((request, response) => {
    request.resume().on("end", () => {
      got.ids.push(request.headers["webhook-id"]);
      response.writeHead(got.takes ? 204 : 500).end();
    });
  });
  await new Promise((listens) => server.listen(0, "127.0.0.1", listens));
  server.unref();
  return { got, url: `http://127.0.0.1:${server.address().port}/hook` };
}

const api = (path, body) =>
  fetch(`${state.merchant_api_url}${path}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${state.merchant_api_token}`,
      "content-type": "application/json",
      "idempotency-key": `owner-${Math.random()}`
    },
    body: JSON.stringify(body)
  }).then((answer) => answer.json());

// Stock that runs low, of which a webhook is told; what it refused is sent again.
async function hooks(visit) {
  const { page, label } = visit;
  const sku = `VS-${label.toUpperCase()}`;
  const listener = await receiver();
  await page.goto(`${owner}/webhooks`);
  if (label === "desktop") {
    await step(`${label}: there is no webhook yet`, () => page.getByText("There is none.").waitFor());
    await look(visit, "owner-webhooks-none");
  }
  const hook = await api("/webhooks", { url: listener.url, events: ["stock.low", "stock.out"], description: "Till" });
  await step(`${label}: the owner says how many are few`, async () => {
    await page.goto(`${owner}/stock/${sku}`);
    await page.getByLabel(/^So many or fewer/).fill("1");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("The stock is changed.").waitFor();
  });
  await step(`${label}: and as few are there`, async () => {
    await page.getByLabel("counted anew").check();
    await page.getByLabel("Pieces").fill("1");
    await page.getByLabel("Why").fill("counted");
    await page.getByRole("button", { name: "Change" }).click();
    await page.getByRole("cell", { name: "counted" }).waitFor();
  });
  await look(visit, "owner-stock-few");
  await step(`${label}: the webhook is listed`, async () => {
    await page.getByRole("navigation").getByRole("link", { name: "Webhooks" }).click();
    await page.getByRole("link", { name: listener.url }).waitFor();
  });
  await look(visit, "owner-webhooks");
  await step(`${label}: it was told, and has refused it`, async () => {
    await page.getByRole("link", { name: listener.url }).click();
    for (let i = 0; i < 50 && !(await page.getByText("HTTP 500").count()); i++) {
      await page.waitForTimeout(200);
      await page.reload();
    }
    await page.getByRole("row", { name: "stock.low" }).getByText("HTTP 500").first().waitFor();
  });
  await look(visit, "owner-webhook");
  await step(`${label}: by keyboard it is sent again, and taken`, async () => {
    listener.got.takes = true;
    await tabTo(page, /^Send again/);
    await page.keyboard.press("Enter");
    await page.getByText("It is being sent again.").waitFor();
    for (let i = 0; i < 50 && !(await page.getByText("HTTP 204").count()); i++) {
      await page.waitForTimeout(200);
      await page.reload();
    }
    await page.getByText("HTTP 204").first().waitFor();
    return new Set(listener.got.ids).size === 1;
  });
  await look(visit, "owner-webhook-taken");
  await fetch(`${state.merchant_api_url}/webhooks/${hook.webhook_id}`, {
    method: "DELETE",
    headers: { authorization: `Bearer ${state.merchant_api_token}`, "if-match": "*" }
  });
}

// What browser_owner.sh has read in: two settlements that agree, and one of what the shop has not.
async function settlements(visit) {
  const { page, label } = visit;
  await step(`${label}: what was paid out`, async () => {
    await page.goto(owner);
    await page.getByRole("link", { name: "Settlements" }).click();
    await page.getByRole("heading", { name: "Settlements" }).waitFor();
    const rows = await page.locator("tbody tr").allInnerTexts();
    return rows.length === 3 && rows.filter((row) => row.includes("all agree")).length === 2;
  });
  await look(visit, "owner-settlements");
  await step(`${label}: one that agrees, row by row`, async () => {
    await page.getByRole("row", { name: "12.50 EUR" }).getByRole("link").click();
    await page.getByRole("heading", { name: "Row by row" }).waitFor();
    return (await page.getByText("all agree").count()) === 1;
  });
  await look(visit, "owner-settlement");
  await step(`${label}: leads to its order, and from there back`, async () => {
    const there = page.url();
    await page.locator("tbody").getByRole("link").first().click();
    await page.getByRole("heading", { name: "What has happened" }).waitFor();
    await page.locator('a[href^="/settlements/"]').first().click();
    await page.getByRole("heading", { name: "Row by row" }).waitFor();
    return page.url() === there;
  });
  await step(`${label}: what differs`, async () => {
    await page.getByRole("link", { name: "All settlements" }).click();
    await page.getByRole("link", { name: "What differs" }).click();
    await page.getByText("unknown").first().waitFor();
    return (await page.locator("tbody tr").count()) === 1;
  });
  await look(visit, "owner-settlements-differ");
}

async function leave(visit) {
  const { page, label } = visit;
  await step(`${label}: an order that there is none of`, async () => {
    await page.goto(`${owner}/orders/ord_00000000000000000000`);
    await page.getByText("There is no such order.").waitFor();
  });
  expected(visit, 404);
  await look(visit, "owner-error");
  await step(`${label}: signing out`, async () => {
    await page.goto(owner);
    await page.locator("summary").filter({ hasText: state.admin_account }).click();
    await look(visit, "owner-menu");
    await page.getByRole("button", { name: "Sign out", exact: true }).click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await page.goto(`${owner}/products`);
    await page.waitForURL("**/signin");
  });
}

async function business(browser, label, options) {
  const visit = await open(browser, label, owner, options);
  const shopper = await open(browser, `${label}, the shopper`, shop, options);
  shopper.label = label;
  await enter(visit);
  await trade(visit, shopper);
  await giveUp(visit, shopper);
  await goods(visit);
  await pictures(visit);
  await hooks(visit);
  await settlements(visit);
  await leave(visit);
  await end(shopper);
  await end(visit);
}

// The last: from here nobody signs in for a while.
async function guess(browser) {
  const label = "desktop";
  const visit = await open(browser, label, owner, desk);
  await step("who guesses is not listened to", async () => {
    await visit.page.goto(owner);
    for (let i = 0; i < 11; i++) await signIn(visit.page, `guess ${i}`);
    await visit.page.getByRole("alert").filter({ hasText: "Too many" }).waitFor();
  });
  expected(visit, 403);
  expected(visit, 429);
  await look(visit, "owner-signin-later");
  await end(visit);
}

await visits(
  (browser) => business(browser, "desktop", desk),
  (browser) => business(browser, "phone", phone),
  guess
);
