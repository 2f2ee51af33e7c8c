// The server writes times in the zone that the reader chose, and names it beside them. Only who wants that of their
// browser, which the server does not know, gets it here.

const language = document.documentElement.lang;
const asked = document.documentElement.dataset.times;
const timeZone = asked === "browser" ? undefined : known(asked);
const two = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone };
const day = { day: "numeric", month: "short", year: "numeric", timeZone };
const english = language === "en" ? "en-GB" : language;
const formats = {
  clock: new Intl.DateTimeFormat(language, two),
  second: new Intl.DateTimeFormat(language, { ...two, second: "2-digit" }),
  day: new Intl.DateTimeFormat(english, { weekday: "long", day: "numeric", month: "long", timeZone }),
};
const date = new Intl.DateTimeFormat(english, day);
const full = new Intl.DateTimeFormat(english, { day: "numeric", month: "long", year: "numeric", ...two, second: "2-digit" });

/** A zone as the browser knows it; UTC for one that it does not. */
function known(name) {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return "UTC";
  }
}

/** Writes a moment in the page's zone as `show` says: clock, second, day or moment (date and second). */
export function write(at, show) {
  return show === "moment" ? `${date.format(at)}, ${formats.second.format(at)}` : formats[show].format(at);
}

/** The short name of the browser's zone at a moment, such as CET. */
export function zone(at = new Date()) {
  const names = [language, "en-GB", "en-US"].map((each) => {
    const parts = new Intl.DateTimeFormat(each, { timeZoneName: "short" }).formatToParts(at);
    return parts.find((part) => part.type === "timeZoneName").value;
  });
  return names.find((name) => /^[A-Z]{3,5}$/.test(name)) ?? names[0]; // a language only knows the zones near it
}

/** Rewrites every time below `root`, for who wants the browser's zone. */
export function localize(root) {
  if (asked !== "browser") return;
  for (const time of root.querySelectorAll("time[data-show]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.valueOf())) continue;
    time.textContent = write(at, time.dataset.show);
    time.title = `${full.format(at)} ${zone(at)}`;
  }
  for (const name of root.querySelectorAll("[data-zone]")) name.textContent = zone();
}
