/** What generated events contain. Every generator of traffic uses these lists. */

export const PAGES = ["/", "/pricing", "/docs", "/products/1", "/products/2", "/cart", "/über-uns"] as const;

/** Where events come from. Some places have no city, and some events no place. */
export const PLACES = [
  { country: "DE", region: "Berlin", city: "Berlin" },
  { country: "FR", region: "Île-de-France", city: "Paris" },
  { country: "BR", region: "São Paulo", city: "São Paulo" },
  { country: "JP", region: "東京都", city: "千代田区" },
  { country: "US", region: "CA", city: null },
  {},
] as const;

/** Common names are listed repeatedly. */
export const EVENT_NAMES = ["page_view", "page_view", "page_view", "click", "click", "search", "add_to_cart"] as const;

export const PLANS = ["free", "team", "enterprise"] as const;
