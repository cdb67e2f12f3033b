// What makes the shop's pages more convenient. Each of them works without.

// A list of choices that changes what is shown sends its form at once.
for (const field of document.querySelectorAll("[data-submit]"))
  field.addEventListener("change", () => field.form.requestSubmit());
for (const part of document.querySelectorAll("[data-noscript]")) part.hidden = true;

// At the checkout it only has the total reckoned again, and orders nothing.
const look = document.querySelector("button[name=look]");
for (const field of document.querySelectorAll("[data-look]"))
  field.addEventListener("change", () => look?.form.requestSubmit(look));
if (look) look.hidden = true;

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

// Who uses the keyboard stays where they were; where that has gone, they go on from the order's top.
function focusAgain(order, id) {
  const again = id ? document.getElementById(id) : null;
  (again && order.contains(again) ? again : order).focus({ preventScroll: true });
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
