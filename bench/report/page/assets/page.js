"use strict";
// The page's own script. Its controls are one form: what the form says is what is shown, and what the address keeps.
(() => {
  const DATA = JSON.parse(document.getElementById("data").textContent);
  const form = document.getElementById("view");
  const plots = [...document.querySelectorAll(".chart")];
  const views = new Map(); // plot → its Vega view, once it is drawn
  const untouched = address();

  // ---- what the controls say

  function chosen() {
    const said = new FormData(form);
    const [devices, labels, variants] = ["device", "label", "variant"].map((name) => new Set(said.getAll(name)));
    return {
      problem: said.get("problem"),
      course: said.get("course"),
      policy: said.get("policy"),
      status: said.get("status"),
      machines: new Set(DATA.machines.filter((one) => devices.has(one.device) && labels.has(one.label)).map((one) => one.name)),
      variants,
    };
  }

  let state = chosen();
  const isShown = (record) => state.machines.has(record.machine) && (record.variant === undefined || state.variants.has(record.variant));

  // ---- the address

  function address() {
    const said = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value !== "") said.append(name, value);
    return said.toString();
  }

  function restore() {
    const said = new URLSearchParams(location.hash.slice(1));
    const isView = said.has("problem"); // else a plain link to a part of the page, or none
    for (const control of isView ? form.elements : []) {
      if (!control.name) continue;
      if (control.type === "checkbox") control.checked = said.getAll(control.name).includes(control.value);
      else control.value = allowed(control, said.get(control.name) ?? "");
    }
    if (!isView) form.elements.at.value = location.hash.slice(1);
    if (!part()) form.elements.at.value = "";
  }

  // The part of the page that the address names, if it is one.
  function part() {
    const found = document.getElementById(form.elements.at.value);
    return found?.tagName === "SECTION" ? found : undefined;
  }

  // What a control can have: of a list only what stands in it, whatever the address says.
  function allowed(control, value) {
    if (control.tagName !== "SELECT") return value;
    return [...control.options].some((option) => option.value === value) ? value : control.options[0]?.value;
  }

  let waiting;
  function keep() {
    clearTimeout(waiting); // browsers refuse an address that changes with every movement
    waiting = setTimeout(() => {
      const said = new URLSearchParams(address());
      said.delete("at");
      const hash = said.toString() === untouched ? form.elements.at.value : address(); // what shows all as at first stays as short as it was
      history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
    }, 150);
  }

  // ---- what each plot shows

  const steady = () => DATA.rows.filter((row) => row.question === "steady state" && row.status === "measured" && row.problem === state.problem && isShown(row));
  const feeds = {
    throughput: steady,
    share: () => steady().filter((row) => row.share !== undefined),
    phases: (plot) => {
      const shown = DATA.starts.filter(isShown);
      const longest = Math.max(...shown.map((phase) => phase.total));
      const { machine } = plot.closest("figure").dataset;
      return shown.filter((phase) => phase.machine === machine).map((phase) => ({ ...phase, longest }));
    },
    trajectories: () => { const found = spreadCourses(); return found.some((record) => record.ulp !== undefined) ? found : []; },
    distances: () => furthest(spreadCourses().filter((record) => record.ulp !== undefined)),
    map: (plot) => spreadMap(DATA.maps[plot.dataset.index]),
  };

  function spreadCourses() {
    const found = [];
    for (const { machine, course, seeds, policies, lines } of DATA.courses) {
      if (course !== state.course || !state.machines.has(machine)) continue;
      for (const { variant, outputs, ulp } of lines) {
        if (ulp && !state.variants.has(variant)) continue; // the oracle has no distance
        outputs.forEach((line, policy) => (state.policy === "" || state.policy === String(seeds[policy])) && line.forEach((output, step) =>
          found.push({ machine, variant, policy: policies[policy], line: policy, step, output, ulp: ulp?.[policy][step] })));
      }
    }
    return found;
  }

  // Of each variant at each update the policy that is furthest: lines of all of them would hide each other.
  function furthest(records) {
    const found = new Map();
    for (const record of records) {
      const place = JSON.stringify([record.machine, record.variant, record.step]);
      if (!(found.get(place)?.ulp >= record.ulp)) found.set(place, { ...record, line: 0 });
    }
    return [...found.values()];
  }

  function spreadMap({ logits, rates, outputs, outcomes }) {
    return rates.flatMap((rate, row) => logits.map((logit, column) =>
      ({ rate, logit, output: outputs[row][column], outcome: DATA.outcomes[outcomes[row][column]] })));
  }

  // ---- drawing

  const OPTIONS = {
    mode: "vega-lite", renderer: "svg", actions: false,
    ast: true, // expressions are interpreted: the page lets no text become a script
    tooltip: { id: "tooltip", disableDefaultStyle: true },
  };

  async function draw(plot, rows) {
    const spec = { ...DATA.specs[plot.dataset.plot], datasets: { rows } };
    const { view } = await vegaEmbed(plot, spec, OPTIONS);
    plot.firstElementChild.ariaHidden = "true"; // the plot has a name, and the table its values
    views.set(plot, view);
    tellWhenTapped(plot, view);
    if (plot.dataset.x) await followZoom(plot, view);
  }

  // A finger does not point, it taps, and it is wider than a mark: the nearest one is meant.
  function tellWhenTapped(plot, view) {
    view.addEventListener("click", (event, item) => {
      const meant = item?.tooltip ? item : nearest(plot, event);
      view.tooltip()(null, event, meant, meant?.tooltip);
    });
  }

  for (const moved of ["pointerdown", "touchmove"])
    document.addEventListener(moved, () => document.getElementById("tooltip")?.classList.remove("visible"), { passive: true });

  const REACH = 24; // pixels
  function nearest(plot, { clientX, clientY }) {
    let [found, least] = [undefined, REACH];
    for (const mark of plot.querySelectorAll(".mark-symbol path")) {
      const { x, y, width, height } = mark.getBoundingClientRect();
      const distance = Math.hypot(x + width / 2 - clientX, y + height / 2 - clientY);
      if (distance < least) [found, least] = [mark, distance];
    }
    return found?.__data__; // what Vega draws by it
  }

  // The key of a plot has the marks and lines that are in it.
  function explain(plot, rows) {
    const key = plot.previousElementSibling;
    if (!key?.matches(".key")) return;
    const drawn = { variant: new Set(rows.map((row) => row.variant)), machine: new Set(rows.map((row) => row.machine)) };
    for (const item of key.children) item.hidden = !drawn[item.dataset.names].has(item.dataset.value);
  }

  async function refresh() {
    for (const plot of plots) {
      if (isStale) return;
      if (plot.closest("[hidden]")) continue;
      const rows = feeds[plot.dataset.plot](plot);
      const view = views.get(plot);
      plot.classList.toggle("empty", rows.length === 0);
      explain(plot, rows);
      if (view && rows.length) await view.data("rows", rows.map((row) => ({ ...row }))).runAsync(); // Vega keeps its own marks on the records it was given
      else if (rows.length) await draw(plot, rows);
      document.documentElement.dataset.ready ??= Math.round(performance.now());
      await pause();
    }
    document.documentElement.dataset.complete = Math.round(performance.now());
  }

  const pause = () => new Promise((resolve) => (window.requestIdleCallback ?? setTimeout)(resolve, window.requestIdleCallback && { timeout: 100 }));

  let isDrawing = false;
  let isStale = false;
  async function show() {
    isStale = true;
    if (isDrawing) return; // what is being drawn begins anew
    isDrawing = true;
    document.documentElement.dataset.busy = "";
    try {
      while (isStale) {
        isStale = false;
        await refresh();
      }
    } finally {
      isDrawing = false;
      delete document.documentElement.dataset.busy;
    }
  }

  // ---- zoom

  const signals = (plot) => [`zoom_${plot.dataset.x}`, `zoom_${plot.dataset.y}`];
  const kept = (plot) => form.elements[`zoom-${plot.dataset.plot}`];

  async function followZoom(plot, view) {
    const ends = kept(plot).value.split(",").map(Number);
    if (ends.length === 4 && ends.every(Number.isFinite)) signals(plot).forEach((signal, axis) => view.signal(signal, ends.slice(2 * axis, 2 * axis + 2)));
    for (const signal of signals(plot)) {
      view.addSignalListener(signal, () => {
        const domains = signals(plot).map((name) => view.signal(name));
        kept(plot).value = domains.every(Boolean) ? domains.flat().map((end) => Number(end.toPrecision(4))).join(",") : "";
        keep();
      });
    }
    await view.runAsync();
  }

  async function zoom(plot, factor) {
    const view = views.get(plot);
    if (!view) return;
    signals(plot).forEach((signal, axis) => view.signal(signal, factor ? scaled(view.scale("xy"[axis]), factor) : null));
    await view.runAsync();
  }

  function scaled(scale, factor) {
    const [from, to] = scale.range();
    const middle = (from + to) / 2;
    return [from, to].map((end) => scale.invert(middle + (end - middle) * factor));
  }

  // ---- tables

  function cell(row, column, type) {
    const value = row[column.field];
    if (type === "sort" || type === "type") return value ?? (column.number ? -Infinity : "");
    const text = row[column.text ?? column.field] ?? "";
    const shown = typeof text === "number" ? text.toLocaleString("en") : text;
    if (type === "filter") return `${shown} ${shown.replace(/,(?=\d{3})/g, "")}`; // who looks for 10000 finds 10,000
    return type === "display" ? document.createTextNode(shown) : shown; // a node of text: no file's text is ever markup
  }

  const DataTable = tables.default;
  const PAGE = 25;
  function tableOf(id, name, columns, data) {
    const place = document.getElementById(id);
    if (!place) return undefined;
    const made = new DataTable(place, {
      data, deferRender: true, autoWidth: false, pageLength: PAGE, order: [],
      layout: { topStart: null, topEnd: null, bottomStart: ["info", "pageLength"], bottomEnd: "paging" },
      columns: columns.map((column) => ({
        data: null, type: column.number ? "num" : "string", className: column.number ? "number" : column.wide ? "long" : "",
        render: (row, type) => cell(row, column, type),
      })),
    });
    const whole = made.table().container();
    whole.querySelector(".dt-paging nav").ariaLabel = `Pages of ${name}`;
    for (const attribute of ["tabindex", "role", "aria-label"]) { // of what scrolls sideways, once DataTables has made it
      place.closest(".dt-layout-cell").setAttribute(attribute, whole.parentElement.getAttribute(attribute));
      whole.parentElement.removeAttribute(attribute);
    }
    return made;
  }

  const table = tableOf("rows-table", "all rows", DATA.columns, DATA.rows);
  const reasons = tableOf("reasons-table", "reasons", DATA.reasons, []);
  table.search.fixed("shown", (_text, row) => isShown(row) && (state.status === "" || row.status === state.status));

  // Columns that are empty in all rows that are shown are not shown either.
  function dropEmpty() {
    const rows = table.rows({ search: "applied" }).data().toArray();
    const isFilled = ({ field }) => rows.length === 0 || rows.some((row) => (row[field] ?? "") !== "");
    DATA.columns.forEach((column, index) => {
      const one = table.column(index);
      if (one.visible() !== isFilled(column)) one.visible(isFilled(column), false); // also what changes nothing draws all headings anew
    });
  }

  // Each reason once, withheld rows first.
  function chosenReasons() {
    const found = new Map();
    for (const row of DATA.rows.filter((one) => one.reason !== undefined && isShown(one))) {
      const place = JSON.stringify([row.status, row.reason]);
      if (!found.has(place)) found.set(place, { status: row.status, reason: row.reason, rows: 0, of: new Set(), on: new Set() });
      const one = found.get(place);
      one.rows += 1;
      one.of.add(row.variant ?? row.question ?? "");
      one.on.add(row.machine);
    }
    const listed = [...found.values()].map((one) => ({ ...one, of: [...one.of].join("; "), on: [...one.on].join("; ") }));
    return listed.sort((one, other) => (other.status === "withheld") - (one.status === "withheld") || other.rows - one.rows);
  }

  // Order, page and size of a page of the tables stand in fields of the form, and with them in the address.
  const kinds = [{ one: table, columns: DATA.columns, prefix: "" }, { one: reasons, columns: DATA.reasons, prefix: "reasons-" }].filter(({ one }) => one);
  for (const { one, prefix } of kinds) {
    one.on("draw.dt", () => {
      const { page, length } = one.page.info();
      if (length < 0) return; // on paper there are no pages
      form.elements[`${prefix}order`].value = one.order().map(([column, direction]) => `${column}${direction}`).join("");
      form.elements[`${prefix}page`].value = page || "";
      form.elements[`${prefix}size`].value = length === PAGE ? "" : length;
      keep();
    });
  }

  const number = (name) => Number(/^\d{1,4}$/.exec(form.elements[name].value)?.[0] ?? 0);

  function restoreTables() {
    const pages = kinds.map(({ prefix }) => number(`${prefix}page`)); // before update draws, which begins at the first
    for (const { one, columns, prefix } of kinds) {
      const [, column, direction] = /^(\d{1,2})(asc|desc)$/.exec(form.elements[`${prefix}order`].value) ?? [];
      one.order(column < columns.length ? [[Number(column), direction]] : []);
      one.page.len([10, 50, 100].find((length) => length === number(`${prefix}size`)) ?? PAGE);
    }
    update();
    kinds.forEach(({ one }, index) => pages[index] && one.page(pages[index]).draw("page"));
  }

  // ---- all of it

  function update() {
    state = chosen();
    for (const place of document.querySelectorAll("[data-machine]"))
      place.hidden = !isShown(place.dataset) || (place.dataset.course ?? state.course) !== state.course;
    table.search(form.elements.search.value).draw();
    dropEmpty();
    reasons?.clear().rows.add(chosenReasons()).search(form.elements.why.value).draw();
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
  document.addEventListener("click", (event) => {
    const { every, none, zoom: factor } = event.target.dataset ?? {};
    if (every) set(every, true);
    else if (none) set(none, false);
    else if (factor) zoom(event.target.closest(".tools").previousElementSibling, Number(factor));
    else if (event.target.id === "again") {
      form.reset();
      for (const control of form.elements) if (control.type === "hidden") control.value = "";
      for (const plot of views.keys()) if (plot.dataset.x) zoom(plot, 0);
      restoreTables();
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
    const found = part();
    if (!found) return;
    found.scrollIntoView();
    found.tabIndex = -1;
    found.focus({ preventScroll: true });
  }

  // ---- paper, which has no pages of a table, nothing to open, and no pointer

  let before = [];
  window.addEventListener("beforeprint", () => {
    const closed = [...document.querySelectorAll("main details:not([open])")];
    before = [() => closed.forEach((one) => { one.open = false; })];
    closed.forEach((one) => { one.open = true; });
    for (const { one } of kinds) {
      const { page, length } = one.page.info();
      before.push(() => one.page.len(length).page(page).draw("page"));
      one.page.len(-1).draw();
    }
  });
  window.addEventListener("afterprint", () => before.splice(0).forEach((undo) => undo()));

  const night = matchMedia("(prefers-color-scheme: dark)");
  const dress = () => document.documentElement.classList.toggle("dark", night.matches); // DataTables' own name for it
  night.addEventListener("change", dress);
  dress();
  document.getElementById("controls").open = matchMedia("(min-width: 64rem)").matches;
  const arrive = () => { restore(); restoreTables(); look(); };
  window.addEventListener("hashchange", arrive);
  arrive();
})();
