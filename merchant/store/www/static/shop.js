// What makes the shop's pages more convenient. Each of them works without.

// A choice that changes a sum has it reckoned again in place: the page stays, and with it the focus,
// since an arrow key chooses at each step on the way. What looks different is taken from the page
// that the form's answer is, part by part.
function reckonAt(form) {
  const fields = form.dataset.reckon.split(" ").filter(Boolean); // to be sent; none: all
  const byHand = form.querySelector("[data-noscript]");
  let running = false;
  let again = false;

  function asked() {
    const all = new URLSearchParams(new FormData(form));
    all.set("look", "1"); // of the checkout: it orders nothing
    return fields.length === 0 ? all : new URLSearchParams(fields.map((name) => [name, all.get(name) ?? ""]));
  }
  async function reckon() {
    const answer = await fetch(form.action, { method: "POST", body: asked() });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!page.getElementById("sum")) throw new Error(`the answer ${answer.status} has no sum`);
    for (const part of form.querySelectorAll("[data-part]")) renew(part, page.getElementById(part.id));
    const total = form.querySelector(".total td");
    say(total ? `Total ${total.textContent}` : document.getElementById("sum").textContent.trim());
  }
  // One after another, so that the last choice is the one that counts.
  async function change(event) {
    if (!event.target.matches("[data-reckons]")) return;
    again = true;
    if (running) return;
    running = true;
    try {
      while (again) {
        again = false;
        await reckon();
      }
    } catch {
      byHand.hidden = false;
      say("The total could not be reckoned again. There is a button for it.");
    } finally {
      running = false;
    }
  }
  byHand.hidden = true;
  form.addEventListener("change", change);
}

// Another part in place of one, where it looks different; who was in it is there again.
function renew(was, now) {
  if (!now || (was.textContent === now.textContent && was.value === now.value)) return;
  const places = (part) => [...part.querySelectorAll("a, button, input, select")];
  const place = places(was).indexOf(document.activeElement);
  was.replaceWith(document.adoptNode(now));
  if (place >= 0) places(now)[Math.min(place, places(now).length - 1)]?.focus();
}

for (const form of document.querySelectorAll("form[data-reckon]")) reckonAt(form);

// The price of the variant that is chosen.
for (const choice of document.querySelectorAll("input[data-price]"))
  choice.addEventListener("change", () => {
    document.getElementById("price").textContent = choice.dataset.price;
  });

// An order is not sent twice by a second click.
for (const form of document.querySelectorAll("form[method=post]"))
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// What is to be pasted elsewhere.
function offerCopies() {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.onclick = async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      say("Copied.");
    };
  }
}

function say(words) {
  const place = document.getElementById("said");
  if (place) place.textContent = words;
}

// The page of an order follows its payment: the server says when it looks different, and the part
// that does is taken from the page itself, so that there is one way to show it.
let source = null;

// Who uses the keyboard stays where they were; where that has gone, they go on from the order's top, and
// from there where it comes back: a link to pay goes while the bank is asked, and comes where it refuses.
let lost = "";
function focusAgain(order, id) {
  const wanted = id === order.id ? lost : id;
  const again = wanted ? document.getElementById(wanted) : null;
  const found = again && order.contains(again);
  lost = found ? "" : wanted;
  (found ? again : order).focus({ preventScroll: true });
}

async function refresh() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const now = page.getElementById("order");
  const was = document.getElementById("order");
  if (!now || !was || now.dataset.seen === was.dataset.seen) return;
  const held = was.contains(document.activeElement) ? document.activeElement : null;
  was.replaceWith(document.adoptNode(now));
  offerCopies();
  if (held) focusAgain(now, held.id);
  say(document.getElementById("words")?.textContent ?? "");
}

function follow() {
  const order = document.getElementById("order");
  source?.close();
  if (!order?.dataset.follow) return;
  source = new EventSource(`${location.pathname}/events?seen=${order.dataset.seen}`);
  source.addEventListener("change", async () => {
    source.close();
    try {
      await refresh();
    } finally {
      setTimeout(follow, 300);
    }
  });
  source.onerror = () => {
    if (source.readyState !== EventSource.CLOSED) return; // it comes back by itself
    setTimeout(async () => {
      try {
        await refresh();
      } finally {
        follow();
      }
    }, 5000);
  };
}

offerCopies();
follow();
