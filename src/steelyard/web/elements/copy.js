// What is shown is copied with one press: a field, a block of code, or a text that the button carries. Without a script
// it is selected by hand.

for (const button of document.querySelectorAll("[data-copies], [data-text]")) {
  const shown = document.getElementById(button.dataset.copies);
  button.hidden = false;
  button.addEventListener("click", async () => {
    shown?.select?.();
    await navigator.clipboard.writeText(button.dataset.text ?? shown.value ?? shown.textContent);
    button.textContent = button.dataset.done;
  });
}
