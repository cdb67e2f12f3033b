// A shopper's visit: search, cart, checkout, payment by the wallet, receipt; without JavaScript, and by keyboard; and
// the pages of what is not there. See lib.mjs.
import { desk, end, expected, fill, look, open, order, phone, picture, put, shop, step, tabTo, visits, wallet } from "./lib.mjs";

async function buy(browser, label, options) {
  const visit = await open(browser, label, shop, options);
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
  await step(`${label}: a category below another is reached, and left again`, async () => {
    await page.goto(`${shop}/categories/kitchen`);
    await page.getByRole("navigation", { name: "Categories below" }).getByRole("link", { name: "Tableware" }).click();
    await page.getByRole("link", { name: "Plate" }).waitFor();
    await page.getByRole("navigation", { name: "Where you are" }).getByRole("link", { name: "Kitchen" }).click();
    await page.getByLabel("Kind").selectOption("diameter:22 cm");
    await page.getByRole("button", { name: "Apply" }).click();
    await page.waitForURL("**option=diameter**");
    return (await page.locator(".goods li").count()) === 1;
  });
  await look(visit, "category-below");
  await step(`${label}: the shop says who it is`, async () => {
    await page.getByRole("navigation", { name: "About the shop" }).getByRole("link", { name: "Contact" }).click();
    await page.getByText("Nobody stands behind it").waitFor();
  });
  await look(visit, "about");
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
    await page.getByRole("button", { name: "To the checkout" }).click();
    await fill(page);
    await page.getByLabel("Town").fill(" ");
    await page.getByRole("button", { name: /^Order/ }).click();
    await page.getByText("Please give the town.").waitFor();
    const focus = await page.evaluate("document.activeElement.id");
    if (focus !== "city") return `the focus is at ${focus}`;
    return (await page.getByLabel("Street and number").inputValue()) === "Weg 1";
  });
  expected(visit, 422);
  await look(visit, "checkout");
  await step(`${label}: the order is made`, async () => {
    await page.getByLabel("Town").fill("Berlin");
    await page.getByRole("button", { name: /^Order/ }).click();
    await page.getByText("Not paid yet.").waitFor();
  });
  await look(visit, "order");
  const link = await page.getByRole("link", { name: /^Pay with/ }).getAttribute("href");
  const focused = () => page.evaluate(() => document.activeElement.id);
  await step(`${label}: while the bank is asked the keyboard waits at the order, and is led back to the link`, async () => {
    const silent = (await wallet("card", "list")).cards.find((card) => card.label === "no-answer");
    await page.getByRole("link", { name: /^Pay with/ }).focus();
    const paying = wallet("pay", link, "--yes", "--card", silent.id);
    await page.locator("#words").getByText("is being decided").waitFor();
    const meanwhile = await focused();
    await paying;
    await page.getByText("Your bank has refused").first().waitFor();
    return meanwhile === "order" && (await focused()) === "pay-link";
  });
  await step(`${label}: the page says by itself that the bank has refused, and why`, async () => {
    const cards = (await wallet("card", "list")).cards;
    const poor = cards.find((card) => card.label === "no-funds");
    await page.getByRole("link", { name: /^Pay with/ }).focus();
    const paid = await wallet("pay", link, "--yes", "--card", poor.id);
    await page.getByText("There is not enough money").first().waitFor();
    return paid.status === "declined";
  });
  await step(`${label}: whoever stood on the link to pay still does`, async () => (await focused()) === "pay-link");
  await look(visit, "declined");
  await step(`${label}: the page says by itself that it is paid`, async () => {
    const paid = await wallet("pay", link, "--yes");
    await page.getByText("is held on your card").first().waitFor();
    await page.getByText(`approval ${paid.approval_code}`).waitFor();
  });
  await look(visit, "paid");
  await step(`${label}: and the link to pay is gone`, async () => (await page.locator("a[href^=setpay]").count()) === 0);
  await step(`${label}: and the keyboard goes on from the order`, async () => (await focused()) === "order");
  await end(visit);
}

// Prices in another currency: chosen at the top of a page, kept, and what is paid.
async function inYen(browser, label, options) {
  const visit = await open(browser, label, shop, options);
  const { page } = visit;
  const choose = async (code) => {
    await page.getByLabel("Prices in").selectOption(code);
    await page.getByRole("button", { name: "Show", exact: true }).click();
    await page.locator(`#money option[selected][value=${code}]`).waitFor({ state: "attached" });
  };
  await step(`${label}: another currency is chosen where one is`, async () => {
    await page.goto(`${shop}/categories/kitchen?sort=price`);
    await choose("JPY");
    await page.getByText("5200 JPY").first().waitFor();
    return page.url().endsWith("/categories/kitchen?sort=price");
  });
  await look(visit, "category-yen");
  await step(`${label}: a product of it goes into the cart`, async () => {
    await page.goto(`${shop}/products/jug`);
    await page.getByText("5200 JPY").first().waitFor();
    await page.getByRole("button", { name: "Put into the cart" }).click();
    await page.getByRole("cell", { name: "9000 JPY" }).waitFor();
  });
  await look(visit, "cart-yen");
  await step(`${label}: the cart has other prices in another one`, async () => {
    await choose("USD");
    await page.getByRole("cell", { name: "60.80 USD" }).waitFor();
    await choose("JPY");
    await page.getByRole("cell", { name: "9000 JPY" }).waitFor();
  });
  await step(`${label}: with the quantities that were typed, also on the way to the checkout`, async () => {
    await page.getByLabel("Quantity of Jug").fill("2");
    await choose("USD");
    if ((await page.getByLabel("Quantity of Jug").inputValue()) !== "2") return "the quantity of before";
    await page.getByLabel("Quantity of Jug").fill("1");
    await choose("JPY");
    await page.getByLabel("Quantity of Jug").fill("2");
    await page.getByRole("button", { name: "To the checkout" }).click();
    await page.getByRole("row", { name: "2 × Jug" }).waitFor();
    await page.goto(`${shop}/cart`);
    await page.getByLabel("Quantity of Jug").fill("1");
    await page.getByRole("button", { name: "Change quantities" }).click();
    await page.getByRole("cell", { name: "9000 JPY" }).waitFor();
  });
  await step(`${label}: the order is made, and paid`, async () => {
    const link = await order(page);
    await page.getByRole("heading", { name: "Pay 9000 JPY" }).waitFor();
    const paid = await wallet("pay", link, "--yes");
    await page.getByText("is held on your card").first().waitFor();
    return paid.status === "authorised" && paid.currency === "JPY";
  });
  await look(visit, "paid-yen");
  await step(`${label}: what is not sold in a currency says so`, async () => {
    await page.goto(`${shop}/products/wool-blanket`);
    await choose("EUR");
    await page.getByRole("button", { name: "Put into the cart" }).click();
    await page.getByText("It is in your cart.").waitFor();
    await put(page, "jug");
    await choose("USD");
    await page.getByText("Not sold in USD: take it out").waitFor();
    return (await page.getByRole("button", { name: "To the checkout" }).count()) === 0;
  });
  await look(visit, "cart-not-sold");
  await step(`${label}: its page too`, async () => {
    await page.getByRole("link", { name: "Wool blanket" }).click();
    await page.getByText("Not sold in USD, but in EUR, JPY").waitFor();
  });
  await look(visit, "product-not-sold");
  await step(`${label}: and the list`, async () => {
    await page.goto(`${shop}/categories/textiles`);
    await page.getByText("Not sold in USD").waitFor();
  });
  await look(visit, "category-not-sold");
  await step(`${label}: one of its variants alone can't be chosen`, async () => {
    await page.goto(`${shop}/products/plate`);
    return page.getByLabel("27 cm").isDisabled();
  });
  await look(visit, "product-partly-sold");
  await end(visit);
}

// What is empty, sold out, or not there.
async function astray(browser, label, options) {
  const visit = await open(browser, label, shop, options);
  const { page } = visit;
  await step(`${label}: the cart of who has just come is empty`, async () => {
    await page.goto(`${shop}/cart`);
    await page.getByRole("heading", { name: "It is empty" }).waitFor();
  });
  await look(visit, "cart-empty");
  await step(`${label}: a search without a find`, async () => {
    await page.goto(`${shop}/search?q=zeppelin`);
    await page.getByText("Nothing found").waitFor();
  });
  await look(visit, "search-empty");
  await step(`${label}: a variant that is sold out can't be chosen`, async () => {
    await page.goto(`${shop}/products/cup`);
    return page.getByLabel("chalk").isDisabled();
  });
  await look(visit, "product-sold-out");
  await step(`${label}: more than there is is not sold`, async () => {
    await put(page, "lantern", { quantity: 4 });
    await page.getByLabel("Quantity of Lantern").fill("40");
    await page.getByRole("button", { name: "Change quantities" }).click();
    await page.getByText("your cart has what there is").waitFor();
    return (await page.getByLabel("Quantity of Lantern").inputValue()) === "4";
  });
  await look(visit, "cart-short");
  // As of a browser that does not look at the fields itself.
  const insist = (form) => page.locator(form).evaluate((one) => (one.noValidate = true));
  const focus = () => page.evaluate(() => document.activeElement.name);
  await step(`${label}: a quantity that is none is told beside its field`, async () => {
    await page.getByLabel("Quantity of Lantern").fill("1000");
    await insist("#cart");
    await page.getByRole("button", { name: "Change quantities" }).click();
    await page.getByText("A whole number from 0 to 999, please.").waitFor();
    if ((await page.getByLabel("Quantity of Lantern").inputValue()) !== "1000") return "another quantity";
    return (await focus()) === "quantity_LT-1" || (await focus());
  });
  expected(visit, 422);
  await look(visit, "cart-wrong");
  await step(`${label}: so it is on a product's page`, async () => {
    await page.goto(`${shop}/products/teapot`);
    await page.getByLabel("sand").check();
    await page.getByLabel("Quantity").fill("0");
    await insist("form[action='/cart/add']");
    await page.getByRole("button", { name: "Put into the cart" }).click();
    await page.getByText("A whole number from 1 to 999, please.").waitFor();
    return (await page.getByLabel("sand").isChecked()) && (await focus()) === "quantity";
  });
  expected(visit, 422);
  await look(visit, "product-wrong");
  await step(`${label}: and where no variant is chosen`, async () => {
    await page.goto(`${shop}/products/teapot?sku=none`);
    await insist("form[action='/cart/add']");
    await page.getByRole("button", { name: "Put into the cart" }).click();
    await page.getByText("Please choose one.").waitFor();
    return (await focus()) === "sku";
  });
  expected(visit, 422);
  await look(visit, "product-unchosen");
  await step(`${label}: a price that can be read in two ways is asked for again`, async () => {
    await page.goto(`${shop}/categories/tea`);
    await page.getByLabel("To (EUR)").fill("1,250");
    await page.getByRole("button", { name: "Apply" }).click();
    await page.getByText("can be read in two ways").waitFor();
    if ((await page.getByLabel("To (EUR)").inputValue()) !== "1,250") return "another price";
    return (await focus()) === "max";
  });
  await look(visit, "category-wrong");
  await step(`${label}: all that is wrong with an address is told at once`, async () => {
    await page.goto(`${shop}/checkout`);
    await page.getByLabel("Name", { exact: true }).fill("Ada Lovelace");
    await insist("form[action='/checkout']");
    await page.getByRole("button", { name: /^Order/ }).click();
    await page.getByText("Please give the town.").waitFor();
    await page.getByText("Please give the postal code.").waitFor();
    if ((await page.getByLabel("Name", { exact: true }).inputValue()) !== "Ada Lovelace") return "another name";
    return (await focus()) === "street";
  });
  expected(visit, 422);
  await look(visit, "checkout-wrong");
  await step(`${label}: an address that leads nowhere`, async () => {
    await page.goto(`${shop}/nowhere`);
    await page.getByText("There is nothing under this address.").waitFor();
  });
  expected(visit, 404);
  await look(visit, "error");
  await end(visit);
}

async function withoutScript(browser) {
  const label = "without JavaScript";
  const visit = await open(browser, label, shop, { viewport: { width: 390, height: 800 }, javaScriptEnabled: false });
  const { page } = visit;
  await step(`${label}: from a product to the payment`, async () => {
    await page.goto(`${shop}/products/black-tea`);
    await page.getByRole("button", { name: "Put into the cart" }).click();
    await page.getByLabel("Quantity of Black tea").fill("2");
    await page.getByLabel("Prices in").selectOption("USD");
    await page.getByRole("button", { name: "Show", exact: true }).click();
    await page.getByText("17.80 USD").first().waitFor();
    await page.getByLabel("Prices in").selectOption("EUR");
    await page.getByRole("button", { name: "Show", exact: true }).click();
    await page.getByLabel("Sent to").selectOption("AT");
    await page.getByRole("button", { name: "Reckon again" }).click();
    await page.getByText("The cart was changed.").waitFor();
    await page.getByRole("button", { name: "To the checkout" }).click();
    await fill(page);
    await page.getByLabel("Country").selectOption("DE");
    await page.getByRole("button", { name: /^Order/ }).click();
    await page.getByText("The total has changed").waitFor();
    await page.getByRole("button", { name: /^Order/ }).click();
    await page.getByText("Not paid yet.").waitFor();
  });
  await picture({ page, label: "without-script" }, "order");
  await step(`${label}: the page is loaded again until it is paid`, async () => {
    const link = await page.getByRole("link", { name: /^Pay with/ }).getAttribute("href");
    await wallet("pay", link, "--yes");
    await page.getByText("is held on your card").first().waitFor();
  });
  expected(visit, 409);
  await end(visit);
}

async function byKeyboard(browser) {
  const label = "by keyboard";
  const visit = await open(browser, label, shop, { viewport: { width: 1280, height: 900 } });
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

  // An arrow key chooses at each step: whatever that has reckoned, the page and the focus stay.
  const { keyboard } = page;
  const here = () => page.evaluate("[document.activeElement.name, document.activeElement.value].join('=')");
  const choose = async (key, name, value, sum) => {
    for (let i = 0; i < 40 && (await here()) !== `${name}=${value}`; i++) {
      const before = await here();
      await keyboard.press(key);
      if ((await here()) === before || !before.startsWith(`${name}=`)) throw new Error(`${key} at ${before} leads nowhere`);
    }
    if (sum) await page.locator(".total").getByRole("cell", { name: sum }).waitFor();
    if ((await here()) !== `${name}=${value}`) throw new Error(`the focus is at ${await here()}`);
  };
  const type = async (name, words) => {
    await tabTo(page, name);
    await keyboard.type(words);
  };
  await step(`${label}: a currency is chosen step by step, and shown by its button`, async () => {
    await page.evaluate("document.activeElement.blur(); window.stays = true");
    await tabTo(page, "Prices in");
    await choose("ArrowDown", "currency", "JPY");
    if (!(await page.evaluate("window.stays"))) return "another page";
    await tabTo(page, "Show");
    await keyboard.press("Enter");
    await page.getByRole("cell", { name: "14200 JPY" }).waitFor();
    await tabTo(page, "Prices in");
    await choose("ArrowUp", "currency", "EUR");
    await tabTo(page, "Show");
    await keyboard.press("Enter");
    await page.getByRole("cell", { name: "70.70 EUR" }).waitFor();
  });
  await step(`${label}: in the cart a country, and how it is sent`, async () => {
    await page.evaluate("window.stays = true");
    await tabTo(page, "Sent to");
    await choose("ArrowUp", "country", "AT", "75.70 EUR");
    await choose("ArrowDown", "country", "DE", "70.70 EUR");
    await tabTo(page, "Parcel");
    await choose("ArrowDown", "shipping_method", "express", "78.70 EUR");
    await choose("ArrowUp", "shipping_method", "parcel", "70.70 EUR");
    return page.evaluate("window.stays");
  });
  await step(`${label}: a quantity that was typed meanwhile is as it was`, async () => {
    await page.getByLabel("Quantity of Jug").fill("1");
    await tabTo(page, "Sent to");
    await choose("ArrowUp", "country", "AT", "75.70 EUR");
    await choose("ArrowDown", "country", "DE", "70.70 EUR");
    if ((await page.getByLabel("Quantity of Jug").inputValue()) !== "1") return false;
    await page.getByLabel("Quantity of Jug").press("Enter");
    await page.locator(".total").getByRole("cell", { name: "37.80 EUR" }).waitFor();
  });
  await step(`${label}: a whole checkout`, async () => {
    await tabTo(page, "To the checkout");
    await keyboard.press("Enter");
    await page.getByRole("heading", { name: "Checkout" }).waitFor();
    await page.evaluate("window.stays = true");
    await type("Name", "Ada Lovelace");
    await type("Street", "Weg 1");
    await type("Postal code", "10115");
    await type("Town", "Berlin");
    await tabTo(page, "Country");
    await choose("ArrowUp", "country", "AT", "42.80 EUR");
    await choose("ArrowDown", "country", "DE", "37.80 EUR");
    await tabTo(page, "Parcel");
    await choose("ArrowDown", "shipping_method", "express", "45.80 EUR");
    if ((await page.locator("#said").textContent()) !== "Total 45.80 EUR") return "nothing was said";
    if (!(await page.evaluate("window.stays"))) return "another page";
    if ((await page.getByLabel("Town").inputValue()) !== "Berlin") return "another address";
    await tabTo(page, "Order, and go");
    await keyboard.press("Enter");
    await page.getByRole("heading", { name: "Pay 45.80 EUR" }).waitFor();
  });
  await step(`${label}: where the total can't be reckoned, there is a button`, async () => {
    await put(page, "jug");
    await page.route("**/cart/change", (route) => route.abort());
    await tabTo(page, "Sent to");
    await keyboard.press("ArrowUp");
    await page.getByText("could not be reckoned").waitFor({ state: "attached" });
    await page.unroute("**/cart/change");
    await page.getByRole("button", { name: "Reckon again" }).click();
    await page.getByText("The cart was changed.").waitFor();
  });
  visit.wrong = visit.wrong.filter((said) => !said.includes("net::ERR_FAILED"));
  await end(visit);
}

await visits(
  (browser) => buy(browser, "desktop", desk),
  (browser) => buy(browser, "phone", phone),
  (browser) => inYen(browser, "desktop", desk),
  (browser) => inYen(browser, "phone", phone),
  (browser) => astray(browser, "desktop", desk),
  (browser) => astray(browser, "phone", phone),
  withoutScript,
  byKeyboard
);
