// @ts-check
/** The site of a tab in the panel's toolbox: what is known of it, its runbooks as buttons and forms, its last runs, its pages of the handbook. */
import { linkTo } from "../lib/run.js";
import { ask } from "../store/team.js";
import { keepRun, runOf } from "../store/used.js";
import { el, live, say } from "./parts.js";
import { asking, focusOn, ODD, problemNotice } from "./server.js";
import { agoOf, openIn, pages, riskTag, showRun, stateTag } from "./toolbox_run.js";

/** @typedef {import("../store/team.js").Team} Team */
/** @typedef {{name: string, title: string, summary: string, risk: string, minutes: number, parameters: any[], may: boolean, why_not: string | null, href: string}} Runbook */
/** `unseen`: the browser does not tell the tab's address. @typedef {{unseen: boolean, host: string | undefined, listed: boolean, conversation: string | undefined}} Where */

const DIAGNOSIS = "diagnose_site";

/**
 * @param {Team} known
 * @param {Where} where
 * @param {AbortSignal} signal
 */
export function siteSection(known, where, signal) {
  const body = el("div", { class: "stack" });
  const part = el("section", { class: "panel", "aria-labelledby": "site-title" },
    el("header", {}, el("h2", { id: "site-title" }, say("toolbox_site"))), body);
  if (where.host && where.listed) lookUp(where.host);
  else body.append(...notYet(where, lookUp));
  return part;

  /** @param {string} host */
  function lookUp(host) {
    const had = body.contains(document.activeElement);
    body.replaceChildren(asking(`/sites/at.json?host=${encodeURIComponent(host)}`, (data) => found(known, { ...where, host }, data, lookUp, signal), signal));
    if (had) focusOn(body);
  }
}

/**
 * Nothing was asked yet: the host is on no list of the team, so that asking takes a press.
 * @param {Where} where
 * @param {(host: string) => void} lookUp
 */
function notYet({ unseen, host }, lookUp) {
  if (!host) return [el("p", { class: "quiet" }, say(unseen ? "toolbox_unseen" : "toolbox_no_site")), otherSite(lookUp)];
  return [
    el("p", {}, el("strong", { class: "mono" }, host)),
    el("p", { class: "quiet" }, say("toolbox_not_asked")),
    el("p", { class: "actions" }, el("button", { type: "button", class: "primary", onclick: () => lookUp(host) }, say("toolbox_look_up", [host]))),
    el("details", {}, el("summary", {}, say("toolbox_other")), otherSite(lookUp)),
  ];
}

/** A field for another host than the tab's. @param {(host: string) => void} lookUp */
function otherSite(lookUp) {
  const field = el("input", { id: "other-host", name: "host", class: "mono", required: true, maxlength: 253, autocomplete: "off", autocapitalize: "off", spellcheck: "false", placeholder: "shop.example" });
  return el("form", { class: "beside", onsubmit: send },
    el("div", { class: "field" }, el("label", { for: "other-host" }, say("toolbox_host")), field),
    el("button", {}, say("toolbox_look")));

  /** @param {SubmitEvent} event */
  function send(event) {
    event.preventDefault();
    const text = field.value.trim();
    const url = URL.parse(/^https?:\/\//iu.test(text) ? text : `https://${text}`);
    if (url?.hostname) lookUp(url.hostname.replace(/\.$/u, ""));
  }
}

/**
 * @param {Team} known
 * @param {Where & {host: string}} where
 * @param {any} data      what the server knows of the host
 * @param {(host: string) => void} lookUp
 * @param {AbortSignal} signal
 */
function found(known, where, data, lookUp, signal) {
  const { site } = data;
  if (!site) {
    return [
      el("p", {}, el("strong", { class: "mono" }, where.host)),
      el("p", { class: "quiet" }, say("toolbox_not_ours", [where.host])),
      el("p", { class: "actions" }, openIn(known.server, "/sites", say("toolbox_sites"))),
      el("details", {}, el("summary", {}, say("toolbox_other")), otherSite(lookUp)),
    ];
  }
  const shown = el("div", { class: "stack" });
  const recent = el("div", { class: "stack tight" });
  drawRecent(data.runs ?? []);
  void runOf(known.server, site.name).then((run) => void (run && !signal.aborted && show(run)));
  const runbooks = /** @type {Runbook[]} */ (data.runbooks ?? []);
  const diagnosis = runbooks.find((each) => each.name === DIAGNOSIS);
  return [
    facts(known, where.host, site),
    diagnosis && diagnose(diagnosis),
    shown,
    shelf(runbooks.filter((each) => each !== diagnosis)),
    recent,
    ...handbook(),
  ];

  /** @param {string} name */
  function titleOf(name) {
    return runbooks.find((each) => each.name === name)?.title ?? name;
  }

  /** @param {Runbook} runbook */
  function diagnose(runbook) {
    return runbookForm(known, site.name, runbook, where.conversation, begun);
  }

  /** @param {number} run   that was asked for */
  function begun(run) {
    void keepRun(known.server, site.name, run);
    show(run, true);
  }

  /** @param {number} run @param {boolean} [now]   whether somebody just asked for it */
  function show(run, now = false) {
    shown.replaceChildren(showRun(known, run, { signal, titleOf, ended: again, close }));
    if (!now) return;
    shown.scrollIntoView({ block: "nearest" });
    live(say("toolbox_asked_for"));
  }

  function close() {
    void keepRun(known.server, site.name, null);
    shown.replaceChildren();
  }

  /** The list of runs is told anew where one has ended; an answer without one leaves it. */
  async function again() {
    const { data } = await ask(`/sites/at.json?host=${encodeURIComponent(where.host)}`);
    if (!signal.aborted && Array.isArray(data?.runs)) drawRecent(data.runs.filter(Boolean));
  }

  /** @param {any[]} runs */
  function drawRecent(runs) {
    recent.replaceChildren(el("h3", {}, say("toolbox_runs")), runs.length ? el("ul", { class: "rows" }, runs.map(ran)) : el("p", { class: "quiet" }, say("toolbox_no_runs")));
  }

  /** @param {any} run */
  function ran(run) {
    const href = linkTo(known.server, run.href ?? `/runs/${run.run}`);
    return el("li", {},
      el("button", { type: "button", class: "link", onclick: () => begun(Number(run.run)) }, String(run.title ?? run.runbook)),
      stateTag(String(run.state)),
      href && el("a", { class: "out", href, target: "_blank", rel: "noreferrer", "aria-label": say("toolbox_run_open", [String(run.run)]) }, "↗"),
      el("small", { class: "below" }, [agoOf(run.at), run.person].filter(Boolean).join(" · ")));
  }

  /** @param {Runbook[]} rest */
  function shelf(rest) {
    if (!rest.length) return null;
    return el("div", { class: "stack tight" }, el("h3", {}, say("toolbox_runbooks")),
      el("ul", { class: "rows shelf" }, rest.map((each) => el("li", {}, el("details", { name: "runbook" },
        el("summary", {}, el("span", { class: "title" }, each.title), riskTag(each.risk)),
        runbookForm(known, site.name, each, where.conversation, begun))))));
  }

  function handbook() {
    const list = pages(known.server, data.handbook ?? []);
    return list ? [el("div", { class: "stack tight" }, el("h3", {}, say("toolbox_handbook")), list)] : [];
  }
}

/** What is known of the site, in short. @param {Team} known @param {string} host @param {any} site */
function facts(known, host, site) {
  const { says, wordpress, php } = site.facts ?? {};
  const rows = [["toolbox_state", says], ["site_host", site.host], ["toolbox_group", site.group], ["toolbox_wordpress", wordpress], ["toolbox_php", php], ["toolbox_checked", site.checked_at && agoOf(site.checked_at)]];
  return el("div", { class: "stack tight" },
    el("p", { class: "named" }, el("strong", { class: "mono" }, String(site.name)), openIn(known.server, site.href, say("toolbox_open"))),
    site.name !== host && el("p", { class: "quiet" }, say("toolbox_known_as", [host, String(site.name)])),
    el("dl", { class: "facts" }, rows.filter(([, value]) => value).flatMap(([key, value]) => [el("dt", {}, say(String(key))), el("dd", {}, String(value))])));
}

// ---- a runbook as a small form with one button that says what it will do; what changes a site is planned only

/** @typedef {{name: string, label: string, kind: "text" | "choice" | "switch" | "number", default: unknown, help: string, choices: ({value: string, label: string} | [string, string])[], pattern: string, required: boolean, least: number, most: number, secret: boolean}} Parameter */

/**
 * @param {Team} known
 * @param {string} site                        its name
 * @param {Runbook} runbook
 * @param {string | undefined} conversation    that it is for
 * @param {(run: number) => void} begun
 */
export function runbookForm(known, site, runbook, conversation, begun) {
  const reads = runbook.risk === "reads";
  if (!runbook.may) {
    return el("div", { class: "stack tight" }, el("p", { class: "quiet" }, runbook.summary), el("p", { class: "notice" }, runbook.why_not || say("team_forbidden")));
  }
  const said = el("div", {});
  const fields = runbook.parameters.map((each) => field(`${runbook.name}-${each.name}`, each));
  const button = el("button", { class: reads ? "primary" : "" }, reads ? say("toolbox_do", [runbook.title, site]) : say("toolbox_plan"));
  return el("form", { class: "stack tight", novalidate: true, onsubmit: send },
    fields.map((each) => each.part),
    said,
    el("p", { class: "actions" }, button, reads && riskTag("reads")),
    el("p", { class: "quiet" }, runbook.summary, " ", say("toolbox_by_hand", [runbook.minutes]), reads ? "" : ` ${say("toolbox_plan_only")}`, " ", openIn(known.server, runbook.href, say("toolbox_about"))));

  /** @param {SubmitEvent} event */
  async function send(event) {
    event.preventDefault();
    button.disabled = true;
    said.replaceChildren();
    for (const each of fields) each.wrong("");
    const values = Object.fromEntries(fields.map((each) => [each.name, each.value()]));
    const body = { site, values, ...(reads ? { at_once: true } : {}), ...(conversation ? { conversation } : {}) };
    const answer = await ask(`/runbooks/${encodeURIComponent(runbook.name)}/plan`, { method: "POST", body });
    button.disabled = false;
    const run = Number(answer.data?.run);
    if (answer.ok && run > 0) return begun(run);
    const problem = answer.problem ?? ODD;
    const about = fields.find((each) => each.name === answer.data?.error?.field || `p.${each.name}` === answer.data?.error?.field);
    if (about) about.wrong(problem.why);
    else said.replaceChildren(problemNotice(problem));
    live(problem.why || say(problem.say, problem.values));
    (about?.input ?? button).focus();
  }
}

/**
 * One parameter by its kind.
 * @param {string} id
 * @param {Parameter} parameter
 */
function field(id, { name, label, kind, default: chosen, help, choices, required, least, most, secret }) {
  const error = el("p", { class: "error", id: `${id}-error`, hidden: true });
  const about = { id, name, "aria-describedby": `${id}-error`, autocomplete: "off" };
  const text = chosen === null || chosen === undefined ? "" : String(chosen);
  /** @type {HTMLInputElement | HTMLSelectElement} */
  const input = kind === "switch" ? el("input", { ...about, type: "checkbox", checked: chosen === true })
    : kind === "choice" ? el("select", about, choices.map(choice))
    : el("input", { ...about, type: kind === "number" ? "number" : secret ? "password" : "text", value: text, required, ...(kind === "number" ? { min: least, max: most, step: 1 } : { spellcheck: "false", ...(secret ? { autocomplete: "new-password" } : {}) }) });
  const named = required && !text ? `${label} (${say("toolbox_needed")})` : label;
  const part = kind === "switch"
    ? el("div", { class: "field" }, el("label", { class: "check", for: id }, input, el("span", {}, named)), help && el("p", { class: "quiet" }, help), error)
    : el("div", { class: "field" }, el("label", { for: id }, named), input, help && el("p", { class: "quiet" }, help), error);
  return { name, part, input, value: () => (input instanceof HTMLInputElement && input.type === "checkbox" ? input.checked : input.value), wrong };

  /** @param {{value: string, label: string} | [string, string]} each */
  function choice(each) {
    const [value, shown] = Array.isArray(each) ? each : [each.value, each.label];
    return el("option", { value, selected: value === text }, shown);
  }

  /** @param {string} why */
  function wrong(why) {
    error.textContent = why;
    error.hidden = !why;
    if (why) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }
}
