// What is shown once is copied with one press. Without a script it is selected by focusing it.

for (const button of document.querySelectorAll("[data-copies]")) {
  const shown = document.getElementById(button.dataset.copies);
  button.hidden = false;
  button.addEventListener("click", async () => {
    shown.select();
    await navigator.clipboard.writeText(shown.value);
    button.textContent = button.dataset.done;
  });
}
