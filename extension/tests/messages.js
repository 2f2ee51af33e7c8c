/** The extension's texts, said as Chrome says them. */
import { readFileSync } from "node:fs";

export const LANGUAGES = ["en", "fr"];

/** @param {string} language @returns {Record<string, {message: string}>} */
export function messages(language) {
  return JSON.parse(readFileSync(new URL(`../_locales/${language}/messages.json`, import.meta.url), "utf8"));
}

/** As `chrome.i18n.getMessage`, but that it throws for an unknown key. @param {string} language */
export function saying(language) {
  const all = messages(language);
  return (key, values = []) => {
    if (!all[key]) throw new Error(`no message ${key}`);
    return all[key].message.replace(/\$(\d)/gu, (_, at) => values[Number(at) - 1] ?? "");
  };
}
