import { Api, type KeyStore } from "./api/api";
import { Dashboard, storageOf } from "./dashboard";
import { readPreferences } from "./view/preferences";

const KEY_NAME = "eventlogger.readKey";

/** Keeps the read key until the tab is closed: in memory, and for reloads in the storage of the tab. */
function keyStore(): KeyStore {
  const storage = storageOf("sessionStorage");
  let key = storage?.getItem(KEY_NAME) ?? undefined;
  return {
    get: () => key,
    set(value) {
      key = value;
      if (value === undefined) storage?.removeItem(KEY_NAME);
      else storage?.setItem(KEY_NAME, value);
    },
  };
}

const root = document.getElementById("app");
if (root) {
  const keys = keyStore();
  // The routes are beside the folder of the page, also behind a proxy that adds a path.
  const base = new URL("../", location.href.replace(/[?#].*$/, ""));
  const preferences = readPreferences(storageOf("localStorage"));
  new Dashboard({ api: new Api(base, keys), keys, preferences }).start(root);
}
