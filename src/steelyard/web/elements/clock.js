// Times are written in UTC by the server. Here they become the browser's own zone, which is named beside them.

const language = document.documentElement.lang;
const two = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const day = { day: "numeric", month: "short", year: "numeric" };
const formats = {
  clock: new Intl.DateTimeFormat(language, two),
  second: new Intl.DateTimeFormat(language, { ...two, second: "2-digit" }),
  day: new Intl.DateTimeFormat(language, { weekday: "long", day: "numeric", month: "long" }),
};
const date = new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, day);
const full = new Intl.DateTimeFormat(language, { dateStyle: "long", timeStyle: "long" });

/** Writes a moment as `show` says: clock, second, day or moment (date and second). */
export function write(at, show) {
  return show === "moment" ? `${date.format(at)}, ${formats.second.format(at)}` : formats[show].format(at);
}

/** The short name of the browser's zone, such as CET. */
export function zone() {
  const names = [language, "en-GB", "en-US"].map((each) => {
    const parts = new Intl.DateTimeFormat(each, { timeZoneName: "short" }).formatToParts(new Date());
    return parts.find((part) => part.type === "timeZoneName").value;
  });
  return names.find((name) => /^[A-Z]{3,5}$/.test(name)) ?? names[0]; // a language only knows the zones near it
}

/** Rewrites every time below `root`. */
export function localize(root) {
  for (const time of root.querySelectorAll("time[data-show]")) {
    const at = new Date(time.dateTime);
    time.textContent = write(at, time.dataset.show);
    time.title = full.format(at);
  }
  for (const name of root.querySelectorAll("[data-zone]")) name.textContent = zone();
}
