// The HTTP API as functions. What goes wrong is thrown as a Problem.

const timeout = 15_000; // milliseconds, longer than the server takes to give up

// Problem is an error answer (RFC 9457), or what stands for one where the
// server did not answer at all.
export class Problem extends Error {
  constructor({ type = "", title = "Something went wrong", detail = "", status = 0, skus = [], requestId = "" }) {
    super(title);
    Object.assign(this, { type, title, detail, status, skus, requestId });
  }

  get conflict() { return this.status === 409; }
}

export const listArticles = (token) =>
  call("GET", "/api/articles?page_size=60&page_token=" + encodeURIComponent(token));

export const getCart = (cart) => call("GET", cartPath(cart));

export const setLine = (cart, sku, quantity) =>
  call("PUT", cartPath(cart) + "/lines/" + encodeURIComponent(sku), { quantity });

export const checkout = (cart) => call("POST", cartPath(cart) + "/checkout");

const cartPath = (cart) => "/api/carts/" + encodeURIComponent(cart);

async function call(method, path, body) {
  const request = { method, signal: AbortSignal.timeout(timeout) };
  if (body !== undefined) {
    request.headers = { "Content-Type": "application/json" };
    request.body = JSON.stringify(body);
  }
  const response = await reach(path, request);
  const answer = await response.json().catch(() => ({ status: response.status }));
  if (!response.ok) throw new Problem(answer);
  return answer;
}

async function reach(path, request) {
  try {
    return await fetch(path, request);
  } catch {
    throw new Problem({ title: "The shop cannot be reached", detail: "Please check the connection and try again." });
  }
}
