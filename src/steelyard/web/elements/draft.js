// What is typed into a form with data-draft, and not taken yet, survives a reload, a restart and an expired login: it is
// kept for this tab, and given up when the page that follows says that it was accepted, or somebody signs out. Passwords
// are never kept.

const KEPT = "draft ";
const SENT = "draft-sent";
const NEVER = "input[type=password], input[type=file], [data-never-kept]";

/** The same page of another workspace holds another form. */
const key = (form) =>
  `${KEPT}${location.pathname} ${new URLSearchParams(location.search).get("workspace") ?? ""} ${form.dataset.draft}`;

function fields(form) {
  return [...form.elements].filter((each) => each.name && !each.matches(NEVER) && each.type !== "submit");
}

const isBox = (field) => field.type === "checkbox" || field.type === "radio";

/** What a form holds, as a list: for a box, whether it is ticked. Also what it was loaded with, for stale edits. */
function read(form) {
  return fields(form).map((each) => (isBox(each) ? [`${each.name}=${each.value}`, each.checked] : [each.name, each.value]));
}

const names = (held) => held.map(([name]) => name).join();

/** Puts back what was kept. Where the form has other fields by now, what it was loaded with stays as it is. */
function write(form, kept) {
  const same = names(kept) === names(read(form));
  const rest = [...kept];
  for (const each of fields(form)) {
    const name = isBox(each) ? `${each.name}=${each.value}` : each.name;
    const at = rest.findIndex(([other]) => other === name);
    if (at < 0) continue;
    const [[, held]] = rest.splice(at, 1);
    if (isBox(each)) each.checked = held;
    else if (same || each.type !== "hidden") each.value = held;
  }
}

function restore(form) {
  const kept = sessionStorage.getItem(key(form));
  if (kept === null || form.matches("[data-refused]")) return; // what was refused is in the form already
  const before = JSON.stringify(read(form));
  if (kept === before) return;
  write(form, JSON.parse(kept));
  const told = form.querySelector("[data-restored]");
  if (told) told.hidden = false;
  form.querySelector("[data-forget]")?.addEventListener("click", () => {
    sessionStorage.removeItem(key(form));
    write(form, JSON.parse(before));
    told.hidden = true;
  });
  form.closest("dialog")?.showModal();
}

/** Forgets what was sent last where this page says that it was accepted. */
function settle() {
  const sent = sessionStorage.getItem(SENT);
  if (sent === null || !document.querySelector("[data-accepted]")) return;
  sessionStorage.removeItem(JSON.parse(sent).key);
  sessionStorage.removeItem(SENT);
}

/** Signing in again, and sending again what was kept there, are on the way of what was sent; all else is not. */
function goesOn(form) {
  const sent = JSON.parse(sessionStorage.getItem(SENT) ?? "null");
  const path = new URL(form.action).pathname;
  return path === "/sign-in" || path === sent?.path;
}

/** Whoever signs in next types their own. */
function forget() {
  for (const each of Object.keys(sessionStorage)) if (each.startsWith(KEPT)) sessionStorage.removeItem(each);
}

function send(form) {
  if (form.method === "post" && new URL(form.action).pathname === "/sign-out") forget();
  if (form.matches("form[data-draft]")) {
    sessionStorage.setItem(key(form), JSON.stringify(read(form)));
    sessionStorage.setItem(SENT, JSON.stringify({ key: key(form), path: new URL(form.action).pathname }));
  } else if (form.method === "post" && !goesOn(form)) sessionStorage.removeItem(SENT);
}

/** Keeps every form that asks for it. */
export function keepDrafts() {
  try {
    settle();
  } catch {
    return; // a browser that keeps nothing
  }
  for (const form of document.querySelectorAll("form[data-draft]")) {
    restore(form);
    form.addEventListener("input", () => sessionStorage.setItem(key(form), JSON.stringify(read(form))));
  }
  document.addEventListener("submit", (event) => send(event.target));
}
