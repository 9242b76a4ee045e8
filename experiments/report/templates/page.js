// What a reader has chosen is kept where the browser lets a page keep anything.
const store = (key, value) => {
  try { return value === undefined ? localStorage.getItem(key) : localStorage.setItem(key, value); } catch { return null; }
};
const ofPage = (key) => `couple:${location.pathname}:${key}`;

// Light and dark: the reader's own setting until the button says otherwise, on every page.
const theme = document.getElementById("theme"), root = document.documentElement;
if (store("couple:theme")) root.dataset.theme = store("couple:theme");
const isDark = () => root.dataset.theme
  ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
const nameTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
theme.hidden = false;
theme.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark"; store("couple:theme", root.dataset.theme); nameTheme();
});
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
for (const [place, table] of document.querySelectorAll("table[data-sortable]").entries()) {
  const key = ofPage(`table ${place}`);
  const sort = (column, sign) => {
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    table.tHead.rows[0].cells[column].ariaSort = sign > 0 ? "ascending" : "descending";
    const bodies = [...table.tBodies];
    bodies.sort((a, b) => sign * compare(cellValue(a, column), cellValue(b, column)));
    table.append(...bodies);
  };
  table.tHead.addEventListener("click", (event) => {
    const head = event.target.closest("button")?.closest("th");
    if (!head) return;
    const sign = head.ariaSort === "ascending" ? -1 : 1;
    sort(head.cellIndex, sign);
    store(key, `${head.cellIndex} ${sign}`);
  });
  const [column, sign] = (store(key) ?? "").split(" ").map(Number);
  if (sign && table.tHead.rows[0].cells[column]) sort(column, sign);
}

// Methods: those that are not wanted are left out everywhere.
const methods = document.getElementById("methods");
if (methods) {
  const unwanted = new Set(JSON.parse(store(ofPage("methods")) ?? "[]"));
  const boxes = [...methods.querySelectorAll("input")];
  const leaveOut = () => {
    for (const part of document.querySelectorAll("[data-row]")) part.classList.toggle("off", unwanted.has(part.dataset.row));
  };
  for (const box of boxes) box.checked = !unwanted.has(box.value);
  methods.addEventListener("change", () => {
    unwanted.clear();
    for (const box of boxes) if (!box.checked) unwanted.add(box.value);
    store(ofPage("methods"), JSON.stringify([...unwanted]));
    leaveOut();
  });
  methods.hidden = false;
  leaveOut();
}

// Galleries: found by words of their prompt, sorted by the effect of a metric, opened large.
const wall = document.getElementById("wall");
if (wall) {
  const [controls, find, sort, pair, order, count, none, large] =
    ["controls", "find", "sort", "pair", "order", "count", "none", "large"].map((id) => document.getElementById(id));
  const first = wall.children.length, more = document.getElementById("more");
  const cards = [...document.querySelectorAll(".gallery")].map((card, place) => ({
    card, place, keys: JSON.parse(card.dataset.keys), text: card.querySelector("h3").textContent.toLowerCase(),
  }));
  const show = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const key = sort.value === "" ? null : Number(pair.value) + Number(sort.value);
    const sign = order.getAttribute("aria-pressed") === "true" ? 1 : -1;
    const of = (entry) => entry.keys[key] ?? -sign * Infinity;
    const sorted = key === null ? cards
      : cards.toSorted((a, b) => sign * (of(a) - of(b)) || a.place - b.place);
    for (const { card, keys, text } of sorted) {
      card.hidden = !words.every((word) => text.includes(word));
      const note = card.querySelector(".key");
      note.hidden = key === null;
      if (key !== null) note.textContent = `${sort.selectedOptions[0].textContent}, ${pair.selectedOptions[0].textContent}: ${keys[key]?.toPrecision(3) ?? "–"}`;
    }
    const seen = sorted.filter(({ card }) => !card.hidden), rest = sorted.filter(({ card }) => card.hidden);
    wall.append(...seen.slice(0, first).map(({ card }) => card));
    more?.lastElementChild.append(...[...seen.slice(first), ...rest].map(({ card }) => card));
    if (more) {
      more.hidden = seen.length <= first;
      more.firstElementChild.textContent = `The other ${seen.length - first}`;
    }
    none.hidden = seen.length > 0;
    count.textContent = `${seen.length} shown`;
    order.textContent = sign < 0 ? "largest first" : "smallest first";
    order.disabled = pair.disabled = key === null;
  };
  const choose = () => { store(ofPage("sort"), [sort.value, pair.value, order.ariaPressed].join(" ")); show(); };
  find.addEventListener("input", show);
  for (const select of [sort, pair]) select.addEventListener("change", choose);
  order.addEventListener("click", () => {
    order.setAttribute("aria-pressed", String(order.getAttribute("aria-pressed") !== "true"));
    choose();
  });
  const kept = store(ofPage("sort"))?.split(" ");
  if (kept?.length === 3) [sort.value, pair.value, order.ariaPressed] = kept;
  const told = document.getElementById("told"), galleries = document.getElementById("galleries");
  const tell = () => galleries.classList.toggle("bare", !told.checked);
  told.checked = store("couple:told") === "yes";
  told.addEventListener("change", () => { store("couple:told", told.checked ? "yes" : "no"); tell(); });
  tell();
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.hidden = false;
  show();

  const [picture, caption, command, close] = large.children;
  document.getElementById("galleries").addEventListener("click", (event) => {
    const image = event.target.closest(".strip button")?.firstElementChild;
    if (!image) return;
    const strip = image.closest(".strip"), member = [...strip.children].indexOf(image.parentElement);
    const { folder, seed } = strip.dataset;
    picture.src = image.src;
    picture.alt = image.alt;
    caption.textContent = `${image.closest(".gallery").querySelector("h3").textContent}. ${strip.previousElementSibling.textContent}, member ${member}${seed ? `, seed ${seed}` : ""}`;
    command.hidden = !folder;
    command.textContent = `couple replay ${folder}/${member}.png`;
    large.showModal();
  });
  close.addEventListener("click", () => large.close());
  large.addEventListener("click", (event) => { if (event.target === large) large.close(); });
}
