"use strict";
// What each variant takes for N policies and S steps, as `python -m bench recommend` has it: rules 1 to 3 of bench/cost/predict.py, along
// the rows that bench/cost/candidates.py found to tell of it.
const recommend = (() => {
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

  function prediction({ machine, variant, growth, ...way }, { policies, steps }) {
    const share = (row) => growth.fixed / Math.max(growth.whole, row.seconds);
    const curve = way.curve.map((row) => ({ ...row, seconds: (share(row) + (1 - share(row)) * (steps / way.steps)) * row.seconds }));
    const { seconds, from, how } = along(curve, policies);
    const remarks = [
      ...how, ...(way.borrowed && !way.own.includes(policies) ? [way.borrowed] : []),
      ...(steps === way.steps ? [] : [`from ${way.steps} steps ${growth.fixed ? "by their growth" : "in proportion"}`]),
    ];
    const identity = from.every((row) => row.identity === "bitwise") ? "bitwise" : "bounded";
    return { machine, variant, seconds, identity, remarks, absence: way.absences.find(([n]) => n <= policies)?.[1] };
  }

  // Every variant of every device whose rows tell of it, the fastest first; ``absence`` is why there is no row of so many policies.
  return (ways, wanted) => {
    const factor = ({ steps }) => Math.max(steps / wanted.steps, wanted.steps / steps);
    const fits = ways.filter((way) => way.objective === wanted.objective && way.arithmetic === wanted.arithmetic);
    const nameOf = (way) => JSON.stringify([way.machine, way.variant]);
    return [...new Set(fits.map(nameOf))]
      .map((name) => fits.filter((way) => nameOf(way) === name).reduce((best, way) => (factor(way) < factor(best) ? way : best)))
      .filter(({ curve }) => curve.length > 1 || curve[0].policies === wanted.policies)
      .map((way) => prediction(way, wanted))
      .sort((left, right) => left.seconds - right.seconds);
  };
})();
