// Tables that scroll can be reached by keys.
window.addEventListener("load", () => {
  for (const table of document.querySelectorAll(".bd-article table")) {
    if (table.scrollWidth > table.clientWidth) table.tabIndex = 0;
  }
});

// A figure with a slider: shows the frame that the slider points to. Keys and touch are
// those of <input type="range">.
document.addEventListener("DOMContentLoaded", () => {
  for (const figure of document.querySelectorAll("figure.frames")) {
    const { values, frames, name } = JSON.parse(
      figure.querySelector("script").textContent
    );
    const [slider, shown, image] = ["input", "output", "img"].map((tag) =>
      figure.querySelector(tag)
    );
    const show = () => {
      const place = Number(slider.value);
      image.src = frames[place];
      image.alt = `${figure.dataset.alt}, ${name} ${values[place]}`;
      shown.value = values[place];
      slider.setAttribute("aria-valuetext", `${name} ${values[place]}`);
    };
    slider.addEventListener("input", show);
    show();
  }
});
