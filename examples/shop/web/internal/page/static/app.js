// The page's state and what its buttons do.

import * as api from "./api.js";
import * as view from "./view.js";

const storageKey = "shop.cart";
const lineActions = { change, step };

let cartId = localStorage.getItem(storageKey) ?? newCartId();
let cart = { cartId, state: "open", lines: [], pieces: 0 };
let articles = [];
let nextPage = "";
let pages = 1;

// Changes are made one after the other, so that quick clicks add up.
let queue = Promise.resolve();

view.on({ more: () => run(more), checkout: () => run(checkout), renew });
run(load);

// run queues an action and shows what goes wrong with it. What the server
// refused would be refused again; all else may be tried again.
function run(action) {
  queue = queue.then(action).catch((error) => {
    const problem = error instanceof api.Problem ? error : new api.Problem({ detail: String(error) });
    const refusal = problem.status >= 400 && problem.status < 500 && problem.status !== 429;
    view.showProblem(problem, refusal ? undefined : () => run(action));
  });
}

// load fills both parts of the page; one may fail without the other.
async function load() {
  const [first, second] = await Promise.allSettled([loadArticles(), loadCart()]);
  if (first.status === "rejected") view.failed("articles");
  if (second.status === "rejected") view.failed("cart");
  const failed = [first, second].find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
}

async function loadArticles() {
  let loaded = [], token = "", page = 0;
  do {
    const answer = await api.listArticles(token);
    loaded = loaded.concat(answer.articles);
    token = answer.nextPageToken ?? "";
  } while (++page < pages && token);
  articles = loaded;
  nextPage = token;
  view.showArticles(articles, nextPage, add);
}

async function more() {
  const answer = await api.listArticles(nextPage);
  articles = articles.concat(answer.articles);
  nextPage = answer.nextPageToken ?? "";
  pages++;
  view.showArticles(articles, nextPage, add);
  view.say(articles.length + " articles are shown.");
}

async function loadCart() { show(await api.getCart(cartId)); }

function add(sku) { step(sku, 1); }

function step(sku, by) { run(() => set(sku, quantityOf(sku) + by)); }

function change(sku, quantity) { run(() => set(sku, quantity)); }

async function set(sku, quantity) {
  if (cart.state === "ordered") renewed();
  try {
    show(await api.setLine(cartId, sku, quantity));
  } catch (error) {
    await refused(error);
    show(cart); // a quantity that was typed goes back to what it was
    throw error;
  }
  view.hideProblem();
  view.say(sku + ": " + quantityOf(sku) + " in the cart, " + cart.pieces + " pieces in all.");
}

async function checkout() {
  view.busy(true);
  try {
    show(await api.checkout(cartId));
    view.hideProblem();
    view.say("The order is placed.");
    view.focusCart();
  } catch (error) {
    await refused(error);
    show(cart, error.skus);
    throw error;
  } finally {
    view.busy(false);
  }
  await loadArticles();
}

// refused looks at what there is now. That this may fail as well is of no
// interest beside the first error.
async function refused(error) {
  if (error.conflict) await Promise.allSettled([loadCart(), loadArticles()]);
}

function renew() {
  renewed();
  show({ cartId, state: "open", lines: [], pieces: 0 });
  view.focusCart();
}

function renewed() {
  cartId = newCartId();
  cart = { cartId, state: "open", lines: [], pieces: 0 };
}

function show(value, troubled) {
  cart = value;
  view.showCart(cart, lineActions, troubled);
}

function quantityOf(sku) { return cart.lines.find((line) => line.sku === sku)?.quantity ?? 0; }

// newCartId makes an id that nobody guesses. crypto.randomUUID is missing where
// the page comes over plain HTTP.
function newCartId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const id = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  localStorage.setItem(storageKey, id);
  return id;
}
