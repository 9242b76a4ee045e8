// Light and dark: the reader's own setting until the button says otherwise.
const theme = document.getElementById("theme"), root = document.documentElement;
const isDark = () => root.dataset.theme
  ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
const nameTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
theme.hidden = false;
theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; nameTheme(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", nameTheme);
nameTheme();

// Tables: a click on a heading sorts their bodies, a second one the other way round.
const cellValue = (body, column) => {
  const cell = body.rows[0].cells[column];
  const text = (cell.dataset.value ?? cell.textContent).trim().replace(/[×%−]/g, "");
  return text !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
};
const compare = (a, b) => typeof a === "number" && typeof b === "number" ? a - b
  : typeof a === "number" ? -1 : typeof b === "number" ? 1 : a.localeCompare(b);
for (const table of document.querySelectorAll("table[data-sortable]")) {
  table.tHead.addEventListener("click", (event) => {
    const head = event.target.closest("button")?.closest("th");
    if (!head) return;
    const sign = head.ariaSort === "ascending" ? -1 : 1;
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.ariaSort = sign > 0 ? "ascending" : "descending";
    const bodies = [...table.tBodies];
    bodies.sort((a, b) => sign * compare(cellValue(a, head.cellIndex), cellValue(b, head.cellIndex)));
    table.append(...bodies);
  });
}

// Galleries: found by words of their prompt, sorted by the effect of a metric.
const wall = document.getElementById("wall");
if (wall) {
  const [controls, find, sort, order, count] = ["controls", "find", "sort", "order", "count"]
    .map((id) => document.getElementById(id));
  const cards = [...wall.children].map((card, place) => ({
    card, place, keys: JSON.parse(card.dataset.keys), text: card.querySelector("h3").textContent.toLowerCase(),
  }));
  const show = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const key = sort.value === "" ? null : Number(sort.value);
    const sign = order.getAttribute("aria-pressed") === "true" ? 1 : -1;
    const of = (entry) => entry.keys[key] ?? -sign * Infinity;
    const sorted = key === null ? cards
      : cards.toSorted((a, b) => sign * (of(a) - of(b)) || a.place - b.place);
    for (const { card, keys, text } of sorted) {
      card.hidden = !words.every((word) => text.includes(word));
      const note = card.querySelector(".key");
      note.hidden = key === null;
      if (key !== null) note.textContent = `${sort.selectedOptions[0].textContent}: ${keys[key] ?? "–"}`;
    }
    wall.append(...sorted.map(({ card }) => card));
    count.textContent = `${cards.filter(({ card }) => !card.hidden).length} shown`;
    order.textContent = sign < 0 ? "largest first" : "smallest first";
    order.disabled = key === null;
  };
  find.addEventListener("input", show);
  sort.addEventListener("change", show);
  order.addEventListener("click", () => {
    order.setAttribute("aria-pressed", String(order.getAttribute("aria-pressed") !== "true"));
    show();
  });
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.hidden = false;
  show();
}
