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
    if (!said.has("problem")) return; // a plain link to a part of the page, or none
    for (const control of form.elements) {
      if (!control.name) continue;
      if (control.type === "checkbox") control.checked = said.getAll(control.name).includes(control.value);
      else control.value = allowed(control, said.get(control.name) ?? "");
    }
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
      const said = address();
      history.replaceState(null, "", said === untouched ? location.pathname + location.search : `#${said}`);
    }, 150);
  }

  // ---- what each plot shows

  const steady = () => DATA.rows.filter((row) => row.question === "steady state" && row.status === "measured" && row.problem === state.problem && isShown(row));
  const feeds = {
    throughput: steady,
    share: () => steady().filter((row) => row.share !== undefined),
    phases: () => DATA.starts.filter(isShown),
    trajectories: () => { const found = spreadCourses(); return found.some((record) => record.ulp !== undefined) ? found : []; },
    distances: () => spreadCourses().filter((record) => record.ulp !== undefined),
    map: (plot) => spreadMap(DATA.maps[plot.dataset.index]),
  };

  function spreadCourses() {
    const found = [];
    for (const { machine, course, policies, lines } of DATA.courses) {
      if (course !== state.course || !state.machines.has(machine)) continue;
      for (const { variant, outputs, ulp } of lines) {
        if (ulp && !state.variants.has(variant)) continue; // the oracle has no distance
        outputs.forEach((line, policy) => line.forEach((output, step) =>
          found.push({ machine, variant, policy: policies[policy], step, output, ulp: ulp?.[policy][step] })));
      }
    }
    return found;
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
    if (plot.dataset.x) await followZoom(plot, view);
  }

  async function refresh() {
    for (const plot of plots) {
      if (isStale) return;
      if (plot.closest("[hidden]")) continue;
      const rows = feeds[plot.dataset.plot](plot);
      const view = views.get(plot);
      plot.classList.toggle("empty", rows.length === 0);
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
    return type === "display" ? document.createTextNode(shown) : shown; // a node of text: no file's text is ever markup
  }

  const DataTable = tables.default;
  const table = new DataTable("#rows-table", {
    data: DATA.rows, deferRender: true, autoWidth: false, pageLength: 25, order: [],
    layout: { topStart: null, topEnd: null, bottomStart: ["info", "pageLength"], bottomEnd: "paging" },
    columns: DATA.columns.map((column) => ({
      data: null, type: column.number ? "num" : "string",
      className: column.number ? "number" : column.field === "reason" ? "long" : "",
      render: (row, type) => cell(row, column, type),
    })),
  });
  const pagesOf = (one, name) => { one.table().container().querySelector(".dt-paging nav").ariaLabel = `Pages of ${name}`; };
  pagesOf(table, "all rows");
  table.search.fixed("shown", (_text, row) => isShown(row) && (state.status === "" || row.status === state.status));
  table.on("order.dt", () => {
    form.elements.order.value = table.order().map(([column, direction]) => `${column}${direction}`).join("");
    keep();
  });
  if (document.getElementById("reasons-table")) {
    const layout = { topStart: null, topEnd: "search", bottomStart: "info" };
    pagesOf(new DataTable("#reasons-table", { autoWidth: false, order: [], pageLength: 25, layout }), "reasons");
  }

  // ---- all of it

  function update() {
    state = chosen();
    for (const part of document.querySelectorAll("[data-machine]")) part.hidden = !state.machines.has(part.dataset.machine);
    table.search(form.elements.search.value).draw();
    const count = table.rows({ search: "applied" }).count();
    document.getElementById("count").value =
      `${state.machines.size} of ${DATA.machines.length} devices, ${count.toLocaleString("en")} of ${DATA.rows.length.toLocaleString("en")} rows`;
    keep();
    show();
  }

  function restoreOrder() {
    const [, column, direction] = /^(\d{1,2})(asc|desc)$/.exec(form.elements.order.value) ?? [];
    table.order(column < DATA.columns.length ? [[Number(column), direction]] : []);
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
      table.order([]);
      update();
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
    const part = document.getElementById(form.elements.at.value);
    if (part?.tagName !== "SECTION") return;
    part.scrollIntoView();
    part.tabIndex = -1;
    part.focus({ preventScroll: true });
  }

  const night = matchMedia("(prefers-color-scheme: dark)");
  const dress = () => document.documentElement.classList.toggle("dark", night.matches); // DataTables' own name for it
  night.addEventListener("change", dress);
  dress();
  document.getElementById("controls").open = matchMedia("(min-width: 64rem)").matches;
  window.addEventListener("hashchange", () => { restore(); restoreOrder(); update(); look(); });
  restore();
  restoreOrder();
  update();
  look();
})();
