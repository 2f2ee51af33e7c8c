/** As much of a browser as the parts need that keep and ask: what it keeps, who it lets in, and what was told to its listeners. */

/** As JSON has it, which is how a browser keeps it. */
const copy = (value) => JSON.parse(JSON.stringify(value));

class Told {
  heard = [];
  addListener = (act) => void this.heard.push(act);
  removeListener = (act) => void (this.heard = this.heard.filter((each) => each !== act));
  tell = (...told) => Promise.all(this.heard.map((act) => act(...told)));
}

class Area {
  kept = {};
  onChanged = new Told();
  async get(names) {
    const wanted = names === undefined || names === null ? Object.keys(this.kept) : [names].flat();
    return copy(Object.fromEntries(wanted.filter((each) => each in this.kept).map((each) => [each, this.kept[each]])));
  }
  async set(values) {
    Object.assign(this.kept, copy(values));
  }
  async remove(names) {
    for (const each of [names].flat()) delete this.kept[each];
  }
  async setAccessLevel() {}
}

/** A part of the browser that only tells: each of its events is there when it is asked for. @param {object} [more] */
const telling = (more = {}) => new Proxy(more, { get: (all, name) => (all[name] ??= String(name).startsWith("on") ? new Told() : async () => undefined) });

/** @param {{managed?: object, answers?: Record<string, any>}} [with_] */
export function browser({ managed = {}, answers = {} } = {}) {
  const permitted = new Set();
  const asked = [];
  const [session, local, sync, policy] = [new Area(), new Area(), new Area(), new Area()];
  policy.kept = managed;
  const chrome = {
    storage: { session, local, sync, managed: policy, onChanged: new Told() },
    i18n: { getUILanguage: () => "en", getMessage: (key) => key },
    runtime: telling({ id: "own", getURL: (path) => `chrome-extension://own/${path}` }),
    permissions: { onAdded: new Told(), onRemoved: new Told(), contains: async ({ origins }) => origins.every((each) => permitted.has(each) || permitted.has("<all_urls>")), remove: async ({ origins }) => origins.every((each) => permitted.delete(each)) },
    tabs: telling({ get: async () => ({}), query: async () => [] }),
    webRequest: telling(), webNavigation: telling(), action: telling(),
  };
  const locks = { request: async (_name, ...rest) => rest.at(-1)({}) };
  const fetch = async (url, how) => {
    asked.push({ url: String(url), ...how });
    const { status = 200, body = {} } = answers[new URL(url).pathname] ?? { status: 404 };
    return new Response(JSON.stringify(body), { status });
  };
  Object.defineProperty(globalThis, "navigator", { value: { locks }, configurable: true });
  Object.assign(globalThis, { chrome, fetch });
  return { chrome, permitted, asked };
}
