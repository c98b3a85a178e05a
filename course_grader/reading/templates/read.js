"use strict";
// Buttons write what a reader could type; Return in the comment gives the answer.
const line = document.getElementById("line");
const comment = document.getElementById("comment");
const picks = [...document.querySelectorAll("[data-pick]")];
const chips = [...document.querySelectorAll("[data-points]")];

function show() {
  const words = line.value.trim().split(/\s+/);
  for (const one of picks) one.ariaPressed = words.includes(one.dataset.pick);
  for (const one of chips) one.ariaPressed = words[0] === one.dataset.points;
}

for (const one of picks) {
  one.addEventListener("click", () => {
    const words = line.value.trim().split(/\s+/).filter((word) => /^c\d+$/.test(word));
    const others = words.filter((word) => word !== one.dataset.pick);
    if (others.length === words.length) others.push(one.dataset.pick);
    line.value = others.join(" ");
    show();
    line.focus();
  });
}

for (const one of chips) {
  one.addEventListener("click", () => {
    line.value = one.dataset.points;
    show();
    comment.focus();
  });
}

line.addEventListener("input", show);
comment.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    comment.form.requestSubmit();
  }
});
line.focus({ preventScroll: true });
line.select();
show();
