// The link to connect a browser by stands in this page's address, behind the sign that browsers send to nobody: it is
// shown to be copied. Nothing here sends it anywhere.

const field = document.getElementById("link");
const has = location.hash.length > 1;
if (has) field.value = location.href;
for (const each of document.querySelectorAll("[data-of-link]")) each.hidden = !has;
document.querySelector("[data-no-link]").hidden = has;
