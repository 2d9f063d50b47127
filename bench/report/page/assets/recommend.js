"use strict";
// What to use for N policies and S steps, by the rows of the page: the rule of bench/cost, as `python -m bench recommend` goes by it. The
// rows of a device stand in the order of the run, those of the steady state before those of the growth with steps.
const recommend = (() => {
  // The a and b, neither negative, of the line a + b·x with the least squares of (a + b·x) / t − 1 through two or more (x, t).
  function fit(points) {
    const sum = (product) => points.reduce((total, [x, t]) => total + product(1 / t, x / t), 0);
    const [u, v, uu, uv, vv] = [sum((inverse) => inverse), sum((_, slope) => slope), sum((inverse) => inverse * inverse), sum((inverse, slope) => inverse * slope), sum((_, slope) => slope * slope)];
    const [a, b, determinant] = [u * vv - v * uv, v * uu - u * uv, uu * vv - uv * uv];
    if (a < 0 || determinant <= 0) return [0, v / vv];
    return b < 0 ? [u / uu, 0] : [a / determinant, b / determinant];
  }

  // The rows of one way to train, by N.
  function curveOf(rows) {
    return [...new Map(rows.map((row) => [row.policies, row])).values()].sort((left, right) => left.policies - right.policies);
  }

  // The curve, with what is taken for rows at N that it has none of, and from where that is.
  function filled(curve, first, objective, rule) {
    if (rule.alike.includes(objective)) {
      const whole = curveOf([...first, ...curve]);
      return [whole, whole.length > curve.length ? `by rows of ${rule.first}` : ""];
    }
    const [row] = curve;
    if (curve.length !== 1 || row.policies === 1 || first.length <= 1) return [curve, ""];
    const share = Math.min(fit(first.map((other) => [other.policies, other.seconds]))[0] / row.seconds, 1);
    const single = { ...row, policies: 1, seconds: (share + (1 - share) / row.policies) * row.seconds };
    return [[single, row], `by its one row of ${objective}, N = ${row.policies.toLocaleString("en")}, and what a call costs for ${rule.first}`];
  }

  // Of a call of so many steps the seconds that do not grow with them, and all of them; nothing where the growth was not measured.
  function growthOf(rows, steps) {
    const grown = rows.find((row) => row.question === "growth with steps");
    const isAlike = (row) => ["objective", "optimizer", "arithmetic", "policies"].every((field) => row[field] === grown[field]);
    const alike = rows.filter((row) => grown && ["steady state", "growth with steps"].includes(row.question) && isAlike(row));
    const bySteps = new Map(alike.map((row) => [row.steps, row.seconds]));
    if (bySteps.size <= 1) return undefined;
    const [fixed, step] = fit([...bySteps]);
    return { fixed, whole: fixed + step * steps };
  }

  // Seconds of N policies, the rows that they are told from, and how.
  function along(curve, policies) {
    const below = curve.findLast((row) => row.policies <= policies);
    const above = curve.find((row) => row.policies >= policies);
    if (below && below === above) return { seconds: below.seconds, from: [below], how: [] };
    const names = (rows) => rows.map((row) => row.policies.toLocaleString("en")).join(" and ");
    if (below && above) {
      const share = (policies - below.policies) / (above.policies - below.policies);
      return { seconds: (1 - share) * below.seconds + share * above.seconds, from: [below, above], how: [`interpolated from N = ${names([below, above])}`] };
    }
    const [near, next] = above ? curve : [curve.at(-1), curve.at(-2)];
    const b = Math.min(Math.max((near.seconds - next.seconds) / (near.policies - next.policies), 0), near.seconds / near.policies);
    const a = Math.max(near.seconds - b * near.policies, 0);
    return { seconds: a + b * policies, from: [near], how: [`extrapolated from N = ${names([near])}`] };
  }

  // The prediction for one variant on one device, by its rows; undefined where they tell nothing of it, or speak against it.
  function prediction(own, rule, { policies, steps, objective, arithmetic }) {
    const rows = own.filter((row) => row.arithmetic === arithmetic);
    if (rows.some((row) => row.status === "withheld" && row.objective === objective)) return undefined;
    const steady = rows.filter((row) => row.question === "steady state");
    const measured = steady.filter((row) => row.status === "measured");
    const absent = steady.filter((row) => row.status !== "measured");
    const isOf = (name) => (row) => row.objective === name;
    if (!measured.some(isOf(objective))) { // a reason that the first objective has not is not the size: it cannot train it
      const others = new Set(absent.filter(isOf(rule.first)).map((row) => row.reason));
      if (absent.filter(isOf(objective)).some((row) => !others.has(row.reason))) return undefined;
    }
    const known = measured.filter((row) => row.optimizer === rule.optimizer);
    const fits = known.filter((row) => row.objective === objective || (rule.alike.includes(objective) && row.objective === rule.first));
    const distance = (row) => Math.max(row.steps / steps, steps / row.steps);
    const nearest = fits.reduce((best, row) => (best && distance(best) <= distance(row) ? best : row), undefined)?.steps;
    const curves = [objective, rule.first].map((name) => curveOf(known.filter((row) => row.objective === name && row.steps === nearest)));
    const [curve, borrowed] = filled(...curves, objective, rule);
    if (curve.length <= 1 && curve[0]?.policies !== policies) return undefined;
    const growth = growthOf(own.filter((row) => row.status === "measured"), nearest);
    const share = (row) => (growth ? growth.fixed / Math.max(growth.whole, row.seconds) : 0);
    const scaled = curve.map((row) => ({ ...row, seconds: (share(row) + (1 - share(row)) * (steps / nearest)) * row.seconds }));
    const { seconds, from, how } = along(scaled, policies);
    const isOwn = curves[0].some((row) => row.policies === policies);
    const reasons = absent.filter((row) => [objective, rule.first].includes(row.objective) && row.policies > curve.at(-1).policies);
    return {
      seconds,
      identity: from.every((row) => row.identity === "bitwise") ? "bitwise" : "bounded",
      remarks: [
        ...how, ...(borrowed && !isOwn ? [borrowed] : []),
        ...(steps === nearest ? [] : [`from ${nearest.toLocaleString("en")} steps ${growth ? "by their growth" : "in proportion"}`]),
      ],
      absence: reasons.find((row) => row.policies <= policies)?.reason,
    };
  }

  // Every variant of every device whose rows tell of it, the fastest first; ``absence`` is why there is no row of so many policies.
  return (rows, rule, wanted) => {
    const ways = new Map();
    for (const row of rows.filter((row) => row.variant !== undefined)) {
      const name = JSON.stringify([row.machine, row.variant]);
      if (!ways.has(name)) ways.set(name, []);
      ways.get(name).push(row);
    }
    return [...ways.values()]
      .map((own) => ({ machine: own[0].machine, variant: own[0].variant, ...prediction(own, rule, wanted) }))
      .filter((way) => way.seconds !== undefined)
      .sort((left, right) => left.seconds - right.seconds);
  };
})();
