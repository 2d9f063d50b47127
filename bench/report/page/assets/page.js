"use strict";
// The page's own script. Its controls are one form: what the form says is what is shown, and what the address keeps.
(() => {
  const DATA = JSON.parse(document.getElementById("data").textContent);
  const form = document.getElementById("view");
  const root = document.documentElement;
  const untouched = address();

  // ---- what the controls say

  function chosen() {
    const values = new FormData(form);
    const [devices, labels, variants] = ["device", "label", "variant"].map((name) => new Set(values.getAll(name)));
    const machines = DATA.machines.filter((machine) => devices.has(machine.device) && labels.has(machine.label));
    return { ...Object.fromEntries(values), machines: new Set(machines.map((machine) => machine.name)), variants };
  }

  let state = chosen();
  const isShown = (record) => state.machines.has(record.machine) && (record.variant === undefined || state.variants.has(record.variant));

  // ---- the address

  function address() {
    const values = [...new FormData(form)].filter(([, value]) => value !== "");
    return new URLSearchParams(values).toString();
  }

  function restore() {
    const values = new URLSearchParams(location.hash.slice(1));
    const isView = values.has("problem"); // else a plain link to a part of the page, or none
    for (const control of isView ? form.elements : []) {
      if (!control.name) continue;
      if (control.type === "checkbox") control.checked = values.getAll(control.name).includes(control.value);
      else control.value = allowed(control, values.get(control.name) ?? "");
    }
    if (!isView) form.elements.at.value = location.hash.slice(1);
    if (!part()) form.elements.at.value = "";
  }

  // The part of the page that the address names, if it is one.
  function part() {
    const element = document.getElementById(form.elements.at.value);
    return element?.tagName === "SECTION" ? element : undefined;
  }

  // What a control can have: of a list only what stands in it, whatever the address says.
  function allowed(control, value) {
    if (control.tagName !== "SELECT") return value;
    return [...control.options].some((option) => option.value === value) ? value : control.options[0]?.value;
  }

  let waiting;
  function keep() {
    clearTimeout(waiting); // browsers refuse an address that changes with every key
    root.dataset.keeping = "";
    waiting = setTimeout(() => {
      const values = new URLSearchParams(address());
      values.delete("at");
      const hash = values.toString() === untouched ? form.elements.at.value : address(); // what shows all as at first stays as short as it was
      history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
      delete root.dataset.keeping;
    }, 150);
  }

  // ---- the choice for an N and steps

  const choices = document.getElementById("choices");
  const swatches = new Map([...form.querySelectorAll("[name=variant]")].map((box) => [box.value, box.nextElementSibling]));

  // A whole number, also as 1e6 or 10,000; undefined where it is none.
  function whole(text) {
    const value = Number(text.trim().replace(/[,_]/g, "") || NaN);
    return Number.isInteger(value) && value >= 1 && value <= 1e15 ? value : undefined;
  }

  // Three significant digits and a unit of time.
  function duration(seconds) {
    const rounded = Number(seconds.toPrecision(3));
    if (rounded >= 1000) return `${rounded.toLocaleString("en")} s`;
    const [unit, size] = [["s", 1], ["ms", 1e-3], ["µs", 1e-6]].find(([, least]) => rounded >= least) ?? ["ns", 1e-9];
    return `${(seconds / size).toPrecision(3)} ${unit}`;
  }

  const ratio = (times) => (times < 1000 ? times.toPrecision(3) : Number(times.toPrecision(3)).toLocaleString("en"));

  function choose() {
    const numbers = {};
    for (const name of ["policies", "steps"]) {
      const control = form.elements[name];
      numbers[name] = whole(control.value);
      control.ariaInvalid = String(numbers[name] === undefined);
    }
    const isAsked = numbers.policies && numbers.steps;
    const predictions = isAsked ? recommend(DATA.rows, DATA.rule, { ...state, ...numbers }).filter(isShown) : [];
    choices.hidden = predictions.length === 0;
    document.getElementById("answer").value = isAsked ? answer(predictions) : "N and steps must be whole numbers from 1 to 1e15, as 10000 or 1e6.";
    const { seconds: least } = predictions.find((prediction) => !prediction.absence) ?? predictions[0] ?? {};
    choices.tBodies[0].replaceChildren(...predictions.map((prediction) => line(prediction, prediction.seconds / least)));
  }

  function answer(predictions) {
    const [best, other] = predictions.filter((prediction) => !prediction.absence);
    if (!best) return "No row of what is shown tells of that.";
    const name = ({ variant, machine }) => (state.machines.size > 1 ? `${variant} on ${machine}` : variant);
    const over = other ? `, ${ratio(other.seconds / best.seconds)} × as fast as ${name(other)}` : "";
    return `${name(best)}: ${duration(best.seconds)}${over}.`;
  }

  function line({ variant, machine, seconds, identity, remarks, absence }, times) {
    const row = document.createElement("tr");
    const name = row.appendChild(document.createElement("th"));
    name.scope = "row";
    name.append(swatches.get(variant)?.cloneNode(true) ?? "", ` ${variant}`);
    const remark = [...remarks, ...(absence ? [`not measured: ${absence}`] : [])].join("; ");
    for (const text of [duration(seconds), ratio(times), machine, identity, remark]) row.insertCell().textContent = text;
    for (const index of [1, 2]) row.cells[index].className = "number";
    row.classList.toggle("unlikely", Boolean(absence));
    return row;
  }

  // ---- the plot

  const OPTIONS = {
    mode: "vega-lite", renderer: "svg", actions: false,
    ast: true, // expressions are interpreted: the page lets no text become a script
    tooltip: { id: "tooltip", disableDefaultStyle: true },
  };
  const plot = document.querySelector(".chart");
  let [view, drawn, turn] = [undefined, Promise.resolve(), 0];

  function show() {
    const mine = ++turn;
    root.dataset.busy = "";
    drawn = drawn.then(async () => {
      if (mine !== turn) return; // another choice is waiting
      const rows = DATA.rows.filter((row) => row.question === "steady state" && row.status === "measured" && row.problem === state.problem && isShown(row));
      plot.classList.toggle("empty", rows.length === 0);
      explain(rows);
      if (view && rows.length) await view.data("rows", rows.map((row) => ({ ...row }))).runAsync(); // Vega keeps its own marks on the records it was given
      else if (rows.length) await draw(rows);
      root.dataset.ready ??= Math.round(performance.now());
      if (mine === turn) delete root.dataset.busy;
    });
  }

  async function draw(rows) {
    ({ view } = await vegaEmbed(plot, { ...DATA.spec, datasets: { rows } }, OPTIONS));
    plot.firstElementChild.ariaHidden = "true"; // the plot has a name, and the table its values
    view.addEventListener("click", (event, item) => { // a finger does not point, it taps, and it is wider than a mark: the nearest one is meant
      const meant = item?.tooltip ? item : nearest(event);
      view.tooltip()(null, event, meant, meant?.tooltip);
    });
  }

  for (const moved of ["pointerdown", "touchmove"])
    document.addEventListener(moved, () => document.getElementById("tooltip")?.classList.remove("visible"), { passive: true });

  const REACH = 24; // pixels
  function nearest({ clientX, clientY }) {
    let [mark, least] = [undefined, REACH];
    for (const path of plot.querySelectorAll(".mark-symbol path")) {
      const { x, y, width, height } = path.getBoundingClientRect();
      const distance = Math.hypot(x + width / 2 - clientX, y + height / 2 - clientY);
      if (distance < least) [mark, least] = [path, distance];
    }
    return mark?.__data__; // what Vega draws by it
  }

  // The key of the plot has the marks and lines that are in it.
  function explain(rows) {
    const names = { variant: new Set(rows.map((row) => row.variant)), machine: new Set(rows.map((row) => row.machine)) };
    for (const item of document.querySelectorAll("[data-names]")) item.hidden = !names[item.dataset.names].has(item.dataset.value);
  }

  // ---- the table of all rows

  const COLUMNS = [ // title, the field that is sorted by, what stands there where that is another, and its kind
    ["variant", "variant"], // the first stays where it is when the others move sideways
    ["device", "machine"],
    ["question", "question"],
    ["objective", "objective"],
    ["arithmetic", "arithmetic"],
    ["N", "policies", "policies", "number"],
    ["steps", "steps", "steps", "number"],
    ["policy-steps/s", "speed", "shown", "number"],
    ["of a call", "seconds", "time", "number"],
    ["identity", "identity"],
    ["ULP", "ulp", "ulp", "number"],
    ["ambiguous", "ambiguous", "ambiguous", "number"],
    ["marks", "marks"],
    ["cache", "cache"],
    ["ranks", "ranks", "ranks", "number"],
    ["status", "status"],
    ["reason", "reason", "reason", "long"],
  ];

  function cell(row, [, field, text = field, kind], type) {
    if (type === "sort" || type === "type") return row[field] ?? (kind === "number" ? -Infinity : "");
    const value = row[text] ?? "";
    const shown = typeof value === "number" ? value.toLocaleString("en") : value;
    if (type === "filter") return `${shown} ${shown.replace(/,(?=\d{3})/g, "")}`; // who looks for 10000 finds 10,000
    return type === "display" ? document.createTextNode(shown) : shown; // a node of text: no file's text is ever markup
  }

  const PAGE = 25;
  const table = new tables.default("#rows-table", {
    data: DATA.rows, deferRender: true, autoWidth: false, pageLength: PAGE, order: [],
    layout: { topStart: null, topEnd: null, bottomStart: ["info", "pageLength"], bottomEnd: "paging" },
    columns: COLUMNS.map((column) => ({
      title: column[0], data: null, type: column[3] === "number" ? "num" : "string", className: column[3] ?? "", render: (row, type) => cell(row, column, type),
    })),
  });
  table.search.fixed("shown", (_text, row) => isShown(row) && (state.status === "" || row.status === state.status));

  // What scrolls sideways is the table alone, once DataTables has put things around it.
  function nameRegion() {
    const [outer, inner] = [table.table().container().parentElement, table.table().node().closest(".dt-layout-cell")];
    outer.querySelector(".dt-paging nav").ariaLabel = "Pages of all rows";
    for (const attribute of ["tabindex", "role", "aria-label"]) {
      inner.setAttribute(attribute, outer.getAttribute(attribute));
      outer.removeAttribute(attribute);
    }
  }

  // Columns that are empty in all rows that are shown are not shown either.
  function dropEmpty() {
    const rows = table.rows({ search: "applied" }).data().toArray();
    COLUMNS.forEach(([, field], index) => {
      const isFilled = rows.length === 0 || rows.some((row) => (row[field] ?? "") !== "");
      if (table.column(index).visible() !== isFilled) table.column(index).visible(isFilled, false); // also what changes nothing draws all headings anew
    });
  }

  // Order, page and size of a page of the table stand in fields of the form, and with them in the address.
  table.on("draw.dt", () => {
    const { page, length } = table.page.info();
    form.elements.order.value = table.order().map(([column, direction]) => `${column}${direction}`).join("");
    form.elements.page.value = page || "";
    form.elements.size.value = length === PAGE ? "" : length;
    keep();
  });

  const number = (name) => Number(/^\d{1,4}$/.exec(form.elements[name].value)?.[0] ?? 0);

  function restoreTable() {
    const page = number("page"); // before update draws, which begins at the first
    const [, column, direction] = /^(\d{1,2})(asc|desc)$/.exec(form.elements.order.value) ?? [];
    table.order(column < COLUMNS.length ? [[Number(column), direction]] : []);
    table.page.len([10, 50, 100].find((length) => length === number("size")) ?? PAGE);
    update();
    if (page) table.page(page).draw("page");
  }

  // ---- all of it

  function update() {
    state = chosen();
    for (const place of document.querySelectorAll("[data-machine]")) place.hidden = !isShown(place.dataset);
    choose();
    table.search(state.search).draw();
    dropEmpty();
    const count = table.rows({ search: "applied" }).count();
    document.getElementById("count").value =
      `${state.machines.size} of ${DATA.machines.length} devices, ${count.toLocaleString("en")} of ${DATA.rows.length.toLocaleString("en")} rows`;
    keep();
    show();
  }

  function set(name, checked) {
    for (const control of form.elements) if (control.name === name) control.checked = checked;
    update();
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("input", (event) => event.target.form === form && update());
  document.addEventListener("click", ({ target }) => {
    if (target.dataset?.every) set(target.dataset.every, true);
    else if (target.dataset?.none) set(target.dataset.none, false);
    else if (target.id === "again") {
      form.reset();
      for (const control of form.elements) if (control.type === "hidden") control.value = "";
      restoreTable();
    }
  });
  document.querySelector("nav").addEventListener("click", (event) => {
    if (!event.target.hash) return;
    event.preventDefault(); // the address keeps the view, and with it the part that is looked at
    form.elements.at.value = event.target.hash.slice(1);
    look();
    keep();
  });

  function look() {
    const section = part();
    if (!section) return;
    section.scrollIntoView();
    section.tabIndex = -1;
    section.focus({ preventScroll: true });
  }

  const night = matchMedia("(prefers-color-scheme: dark)");
  const dress = () => root.classList.toggle("dark", night.matches); // DataTables' own name for it
  night.addEventListener("change", dress);
  dress();
  document.getElementById("controls").open = matchMedia("(min-width: 64rem)").matches;
  const arrive = () => { restore(); restoreTable(); look(); };
  window.addEventListener("hashchange", arrive);
  nameRegion();
  arrive();
})();
