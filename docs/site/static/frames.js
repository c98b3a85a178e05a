// Tables that scroll can be reached by keys.
window.addEventListener("load", () => {
  for (const table of document.querySelectorAll(".bd-article table")) {
    if (table.scrollWidth > table.clientWidth) table.tabIndex = 0;
  }
});

// The row and column of a panel's grid at a point of the picture, if there is one.
function clicked({ rows, columns, panels }, x, y) {
  for (const [left, top, width, height] of panels) {
    const row = Math.floor(((y - top) / height) * rows);
    const column = Math.floor(((x - left) / width) * columns);
    if (row >= 0 && row < rows && column >= 0 && column < columns) return [row, column];
  }
  return null;
}

// The frame whose number is nearest in the grid. Numbers below `first` are not in it.
function nearest({ columns, first }, values, [row, column]) {
  const far = values.map((value) => {
    const number = value - first;
    const down = Math.floor(number / columns) - row;
    const right = (number % columns) - column;
    return number < 0 ? Infinity : down * down + right * right;
  });
  return far.indexOf(Math.min(...far));
}

// A figure with a slider: shows the frame that the slider points to. Keys and touch are
// those of <input type="range">. Where its pictures have a grid, a click chooses, too.
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
    if (figure.dataset.grid) {
      const grid = JSON.parse(figure.dataset.grid);
      image.addEventListener("click", (event) => {
        const box = image.getBoundingClientRect();
        const x = (event.clientX - box.left) / box.width;
        const y = (event.clientY - box.top) / box.height;
        const place = clicked(grid, x, y);
        if (!place) return;
        slider.value = nearest(grid, values, place);
        show();
      });
    }
    show();
  }
});
