// Everything that touches the document. Data become text and nothing else:
// the content security policy forbids the browser to take a string for markup.

const element = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const time = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });

// on calls the actions that the buttons are for.
export function on({ more, checkout, renew }) {
  element("more").addEventListener("click", more);
  element("checkout").addEventListener("click", checkout);
  element("renew").addEventListener("click", renew);
}

// say tells something to people who do not see the page.
export function say(text) { element("status").textContent = text; }

// showProblem shows what went wrong; again, if given, is what to try again.
export function showProblem(problem, again) {
  const shown = stamp("alert-template");
  set(shown, ".title", problem.title + ".");
  set(shown, ".detail", problem.detail);
  set(shown, ".id", problem.requestId);
  shown.querySelector(".request").hidden = !problem.requestId || problem.status < 500;
  const button = shown.querySelector(".again");
  button.hidden = !again;
  button.addEventListener("click", () => { hideProblem(); again(); });
  shown.querySelector(".close").addEventListener("click", hideProblem);
  hideProblem();
  element("alert").append(shown);
}

export function hideProblem() { element("alert").querySelector(".alert")?.remove(); }

export function showArticles(articles, more, add) {
  sync(element("articles"), articles, "article-template", (item, article, fresh) => {
    const button = item.querySelector(".add");
    set(item, ".name", article.sku);
    set(item, ".available", article.available > 0 ? number.format(article.available) + " available" : "Sold out");
    set(button, ".unseen", " " + article.sku + " to the cart");
    item.classList.toggle("gone", article.available <= 0);
    button.disabled = article.available <= 0;
    if (fresh) button.addEventListener("click", () => add(article.sku));
  });
  note("articles-note", articles.length > 0 ? "" : "There is nothing on offer at the moment.");
  element("more").hidden = !more;
}

// showCart shows a cart; change(sku, quantity) and step(sku, by) are called for
// its lines, troubled are the SKUs that cannot be ordered as they are.
export function showCart(cart, { change, step }, troubled = []) {
  const open = cart.state === "open", hadFocus = element("lines").contains(document.activeElement);
  sync(element("lines"), cart.lines, "line-template", (item, line, fresh) => {
    const input = item.querySelector("input"), trouble = troubled.includes(line.sku);
    if (fresh) bindLine(item, line.sku, { change, step });
    set(item, ".name", line.sku);
    set(item, ".ordered", "× " + line.quantity);
    input.value = line.quantity;
    input.setAttribute("aria-invalid", String(trouble));
    item.classList.toggle("troubled", trouble);
    item.querySelector(".trouble").hidden = !trouble;
    item.querySelector(".quantity").hidden = !open;
    item.querySelector(".ordered").hidden = open;
  });
  showEnd(cart);
  // A button that vanished must not take the keyboard's place with it.
  if (hadFocus && !element("lines").contains(document.activeElement)) element("cart").focus();
}

function bindLine(item, sku, { change, step }) {
  const input = item.querySelector("input"), trouble = item.querySelector(".trouble");
  const bind = (selector, label, action) => {
    const button = item.querySelector(selector);
    button.setAttribute("aria-label", label);
    button.addEventListener("click", action);
  };
  bind(".less", "One " + sku + " less", () => step(sku, -1));
  bind(".plus", "One " + sku + " more", () => step(sku, 1));
  bind(".remove", "Remove " + sku, () => change(sku, 0));
  trouble.id = "trouble-" + sku;
  input.setAttribute("aria-label", "Pieces of " + sku);
  input.setAttribute("aria-errormessage", trouble.id);
  input.addEventListener("change", () => { if (input.reportValidity()) change(sku, input.valueAsNumber); });
}

// showEnd shows what stands below the lines and depends on the state.
function showEnd(cart) {
  const empty = cart.lines.length === 0, ordered = cart.state === "ordered";
  element("cart").classList.toggle("done", ordered);
  element("count").textContent = number.format(ordered ? 0 : cart.pieces);
  element("pieces").textContent = number.format(cart.pieces);
  element("total").hidden = empty;
  element("checkout").hidden = empty || ordered;
  element("checkout").textContent = cart.state === "ordering" ? "Finish the order" : "Check out";
  element("renew").hidden = !ordered;
  note("cart-note", noteOf(cart));
}

function noteOf(cart) {
  switch (cart.state) {
    case "ordered": return "Ordered on " + time.format(new Date(cart.orderTime)) + ". Thank you!";
    case "ordering": return "The order has begun and is not confirmed yet. Finish it; nothing is ordered twice.";
    default: return cart.lines.length > 0 ? "" : "It is empty. Add an article.";
  }
}

// failed replaces notes that still say that something is being loaded.
export function failed(what) { note(what + "-note", "Could not be loaded."); }

// busy marks the button that works; it keeps the focus, so it is not disabled.
export function busy(yes) { element("checkout").setAttribute("aria-busy", String(yes)); }

// focusCart moves the keyboard's place to the cart.
export function focusCart() { element("cart").focus(); }

function note(id, text) {
  element(id).textContent = text;
  element(id).hidden = text === "";
}

function set(root, selector, text) { root.querySelector(selector).textContent = text; }

function stamp(template) { return element(template).content.firstElementChild.cloneNode(true); }

// sync makes the items of a list stand for values, which have a sku each.
// Elements are kept, so that the focus stays where it is.
function sync(list, values, template, fill) {
  const old = new Map([...list.querySelectorAll(":scope > li")].map((item) => [item.dataset.sku, item]));
  let place = list.querySelector(":scope > li");
  for (const value of values) {
    const kept = old.get(value.sku), item = kept ?? stamp(template);
    item.dataset.sku = value.sku;
    fill(item, value, !kept);
    old.delete(value.sku);
    if (item === place) {
      place = place.nextElementSibling;
    } else {
      list.insertBefore(item, place);
    }
  }
  for (const item of old.values()) item.remove();
}
