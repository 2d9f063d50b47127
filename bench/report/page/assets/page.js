"use strict";
// The page's own script. Its controls are one form: what the form says is what is shown, and what the address keeps.
(() => {
  const DATA = JSON.parse(document.getElementById("data").textContent);
  const form = document.getElementById("view");
  const root = document.documentElement;

  // ---- what the controls say

  const address = () => new URLSearchParams(new FormData(form)).toString();
  const untouched = address();

  function chosen() {
    const values = new FormData(form);
    return { ...Object.fromEntries(values), machines: new Set(values.getAll("machine")), variants: new Set(values.getAll("variant")) };
  }

  let state = chosen();
  const isShown = (record) => state.machines.has(record.machine) && (record.variant === undefined || state.variants.has(record.variant));

  function restore() {
    const values = new URLSearchParams(location.search);
    if (!values.has("policies")) return; // no view of this page
    for (const control of form.elements) {
      if (control.type === "checkbox") control.checked = values.getAll(control.name).includes(control.value);
      else if (control.name) control.value = values.get(control.name) ?? "";
      if (control.selectedIndex === -1) control.selectedIndex = 0; // of a list only what stands in it, whatever the address says
    }
  }

  let waiting;
  function keep() {
    clearTimeout(waiting); // browsers refuse an address that changes with every key
    root.dataset.keeping = "";
    waiting = setTimeout(() => {
      const query = address() === untouched ? "" : `?${address()}`; // what shows all as at first stays as short as it was
      history.replaceState(null, "", location.pathname + query + location.hash);
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
    const predictions = isAsked ? recommend(DATA.ways, { ...state, ...numbers }).filter(isShown) : [];
    choices.hidden = predictions.length === 0;
    document.getElementById("answer").value = isAsked ? answer(predictions) : "N and steps must be whole numbers from 1 to 1e15, as 10000 or 1e6.";
    const { seconds: least } = predictions.find((prediction) => !prediction.absence) ?? predictions[0] ?? {};
    choices.tBodies[0].replaceChildren(...predictions.map((prediction) => line(prediction, prediction.seconds / least)));
  }

  function answer(predictions) {
    const usable = predictions.filter((prediction) => !prediction.absence);
    const [best, other] = usable.length ? usable : predictions; // of what has not been measured, where nothing else is shown
    if (!best) return "No row of what is shown tells of that.";
    const name = ({ variant, machine }) => (state.machines.size > 1 ? `${variant} on ${machine}` : variant);
    const over = other ? `, ${ratio(other.seconds / best.seconds)} × as fast as ${name(other)}` : "";
    return `${name(best)}: ${duration(best.seconds)}${over}.`;
  }

  function line({ variant, machine, seconds, identity, remarks, absence }, times) {
    const remark = [...remarks, ...(absence ? [`not measured: ${absence}`] : [])].join("; ");
    const cells = [[duration(seconds), "number"], [ratio(times), "number"], [machine], [identity], [remark, "long"]];
    const row = tableRow(variant, cells);
    row.classList.toggle("unlikely", Boolean(absence));
    return row;
  }

  // A variant with its mark, and cells of text: no file's text is ever markup.
  function tableRow(variant, cells) {
    const row = document.createElement("tr");
    const name = row.appendChild(document.createElement("th"));
    name.scope = "row";
    name.append(swatches.get(variant)?.cloneNode(true) ?? "", ` ${variant ?? ""}`);
    for (const [textContent, className = ""] of cells) Object.assign(row.insertCell(), { textContent, className });
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
    view.addEventListener("click", (event, item) => view.tooltip()(null, event, item, item?.tooltip)); // a finger does not point, it taps
    document.addEventListener("pointerdown", () => document.getElementById("tooltip")?.classList.remove("visible"));
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
    ["ULP", "max_ulp", "max_ulp", "number"],
    ["ambiguous", "ambiguous", "ambiguous", "number"],
    ["marks", "marks"],
    ["cache", "cache"],
    ["ranks", "ranks", "ranks", "number"],
    ["status", "status"],
    ["reason", "reason", "reason", "long"],
  ];

  const [PAGE, MORE] = [25, 250]; // rows at first, and with each click
  const table = document.getElementById("rows-table");
  const shown = (row, [, field, text = field]) => (typeof row[text] === "number" ? row[text].toLocaleString("en") : row[text] ?? "");
  const searched = new Map(DATA.rows.map((row) => {
    const text = COLUMNS.map((column) => shown(row, column)).join(" ").toLowerCase();
    return [row, `${text} ${text.replace(/,(?=\d{3})/g, "")}`]; // who looks for 10000 finds 10,000
  }));
  let [sorted, direction, length] = [undefined, 1, PAGE];

  for (const [index, [title, field, , kind = ""]] of COLUMNS.entries()) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: title });
    button.addEventListener("click", () => {
      [sorted, direction, length] = [index, sorted === index ? -direction : 1, PAGE];
      list();
    });
    const heading = table.tHead.rows[0].appendChild(document.createElement("th"));
    Object.assign(heading, { scope: "col", className: kind }).append(button);
  }

  function list() {
    const words = state.search.toLowerCase().split(/\s+/);
    const isWanted = (row) => isShown(row) && (state.status === "" || row.status === state.status) && words.every((word) => searched.get(row).includes(word));
    const rows = DATA.rows.filter(isWanted);
    const [, field] = COLUMNS[sorted] ?? [];
    if (field) rows.sort(({ [field]: left }, { [field]: right }) => (left === undefined) - (right === undefined) || direction * ((left > right) - (left < right)));
    const filled = COLUMNS.map(([, field]) => rows.length === 0 || rows.some((row) => (row[field] ?? "") !== "")); // what is empty in all of them is not shown
    for (const [index, heading] of [...table.tHead.rows[0].cells].entries()) {
      heading.hidden = index > 0 && !filled[index]; // the first has the rows' names
      heading.ariaSort = index !== sorted ? "none" : direction > 0 ? "ascending" : "descending";
    }
    const columns = COLUMNS.filter((_, index) => index > 0 && filled[index]);
    const cells = (row) => columns.map((column) => [shown(row, column), column[3]]);
    table.tBodies[0].replaceChildren(...rows.slice(0, length).map((row) => tableRow(row.variant, cells(row))));
    document.getElementById("more").hidden = rows.length <= length;
    document.getElementById("count").value =
      `${state.machines.size} of ${DATA.machines.length} devices, ${rows.length.toLocaleString("en")} of ${DATA.rows.length.toLocaleString("en")} rows`;
  }

  document.getElementById("more").addEventListener("click", () => {
    length += MORE;
    list();
  });

  // ---- all of it

  function update() {
    state = chosen();
    length = PAGE;
    for (const place of document.querySelectorAll("[data-machine]")) place.hidden = !isShown(place.dataset);
    choose();
    list();
    keep();
    show();
  }

  function set(name, checked) {
    for (const control of form.elements) if (control.name === name) control.checked = checked;
  }

  function restart() {
    form.reset();
    sorted = undefined;
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("input", (event) => event.target.form === form && update());
  document.addEventListener("click", ({ target }) => {
    if (target.dataset?.every) set(target.dataset.every, true);
    else if (target.dataset?.none) set(target.dataset.none, false);
    else if (target.id === "again") restart();
    else return;
    update();
  });

  document.getElementById("controls").open = matchMedia("(min-width: 64rem)").matches;
  restore();
  update();
})();
