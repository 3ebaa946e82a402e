(() => {
  "use strict";
  // Everything from the data reaches the page as text (textContent), never as HTML.
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const MOST_ROWS = 4000; // that are drawn at a time
  const KINDS = {
    right: { sign: "✓", said: data.hasTrue ? "predicted and true" : "predicted" },
    false: { sign: "✕", said: "predicted, not true" },
    missed: { sign: "−", said: "true, not predicted" },
  };
  const nLabels = data.names.length;
  const roots = [];
  const children = data.names.map(() => []);
  data.parents.forEach((above, label) => {
    if (!above.length) roots.push(label);
    for (const parent of above) children[parent].push(label);
  });
  const depth = new Array(nLabels).fill(-1);
  const findDepth = (label) => {
    const chain = [];
    for (let at = label; at >= 0 && depth[at] < 0; at = data.home[at]) chain.push(at);
    for (const at of chain.reverse()) {
      depth[at] = data.home[at] < 0 ? 0 : depth[data.home[at]] + 1;
    }
  };
  data.names.forEach((_, label) => findDepth(label));
  const deepestFirst = [...data.names.keys()].sort((a, b) => depth[b] - depth[a]);

  const state = {
    sample: 0,
    threshold: data.threshold,
    own: data.hasPred,
    view: "marked",
    query: "",
    open: new Map(), // by path, where the user chose
    focus: null, // path
  };

  // -- what is predicted ---------------------------------------------------------------

  function probabilities(sample) {
    const found = new Float64Array(nLabels);
    sample.labels.forEach((label, k) => (found[label] = sample.parts[k] / data.whole));
    return found;
  }

  function kindsOf(sample, proba) {
    const predicted = new Uint8Array(nLabels);
    if (state.own) for (const label of sample.predicted) predicted[label] = 1;
    else proba.forEach((p, label) => (predicted[label] = p > state.threshold ? 1 : 0));
    const kinds = new Array(nLabels).fill(null);
    if (!data.hasTrue) {
      predicted.forEach((on, label) => on && (kinds[label] = "right"));
      return kinds;
    }
    predicted.forEach((on, label) => on && (kinds[label] = "false"));
    for (const label of sample.true) kinds[label] = predicted[label] ? "right" : "missed";
    for (const label of sample.unknown) kinds[label] = null; // neither right nor false
    return kinds;
  }

  function count(kinds) {
    const n = { right: 0, false: 0, missed: 0 };
    for (const kind of kinds) if (kind) n[kind] += 1;
    return n;
  }

  // -- which labels are shown ----------------------------------------------------------

  function closedUpward(wanted) {
    const shown = new Set();
    const add = (label) => {
      const ahead = [label];
      while (ahead.length) {
        const at = ahead.pop();
        if (shown.has(at)) continue;
        shown.add(at);
        ahead.push(...data.parents[at]);
      }
    };
    wanted.forEach(add);
    return shown;
  }

  const nameOf = (label) => data.names[label];
  const fullName = (label) => data.full[label] ?? data.names[label];
  const fold = (text) => text.toLowerCase();
  const folded = data.names.map((name, k) => fold(`${name}\n${data.full[k] ?? ""}`));

  function choose(kinds) {
    const query = fold(state.query.trim());
    if (query) {
      const found = [...folded.keys()].filter((k) => folded[k].includes(query));
      return { found, shown: closedUpward(found), all: false };
    }
    const marked = [...kinds.keys()].filter((k) => kinds[k]);
    if (state.view === "all") return { found: null, shown: null, all: true };
    const wanted =
      state.view === "errors" ? marked.filter((k) => kinds[k] !== "right") : marked;
    return { found: null, shown: closedUpward(wanted), all: false };
  }

  function countBelow(kinds) {
    const below = data.names.map(() => ({ right: 0, false: 0, missed: 0 }));
    for (const label of deepestFirst) {
      const home = data.home[label];
      if (home < 0) continue;
      for (const kind of Object.keys(KINDS)) below[home][kind] += below[label][kind];
      if (kinds[label]) below[home][kinds[label]] += 1;
    }
    return below;
  }

  // -- drawing -------------------------------------------------------------------------

  function make(tag, kind, text) {
    const element = document.createElement(tag);
    if (kind) element.className = kind;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  // A name with the part that was searched for marked.
  function writeName(place, name) {
    const query = fold(state.query.trim());
    const at = query ? fold(name).indexOf(query) : -1;
    if (at < 0 || fold(name).length !== name.length) {
      place.textContent = name;
      return;
    }
    place.append(name.slice(0, at));
    place.append(make("mark", "", name.slice(at, at + query.length)));
    place.append(name.slice(at + query.length));
  }

  function isOpen(drawing, label, path, isHome) {
    if (state.open.has(path)) return state.open.get(path);
    if (!isHome) return false; // what is below stands once
    if (!drawing.all) return true;
    const n = drawing.below[label];
    return n.right + n.false + n.missed > 0;
  }

  function drawRow(drawing, label, open, hasChildren) {
    const kind = drawing.kinds[label];
    const row = make("div", kind ? `row ${kind}` : "row");
    row.append(make("span", "twist", hasChildren ? (open ? "▾" : "▸") : ""));
    row.append(make("span", `sign ${kind ?? ""}`, kind ? KINDS[kind].sign : ""));
    const name = make("span", "name");
    writeName(name, nameOf(label));
    name.title = fullName(label);
    const others = data.parents[label].length - 1;
    if (others > 0) {
      const noun = others === 1 ? "one more parent" : `${others} more parents`;
      name.append(" ", make("span", "also", `(under ${noun})`));
    }
    row.append(name);
    if (hasChildren && !open) row.append(drawBelow(drawing.below[label]));
    const bar = make("span", "bar");
    const length = make("i");
    length.style.width = `${(100 * drawing.proba[label]).toFixed(1)}%`;
    bar.append(length);
    row.append(bar, make("span", "number", drawing.proba[label].toFixed(2)));
    return row;
  }

  function drawBelow(n) {
    const place = make("span", "below");
    for (const [kind, { sign }] of Object.entries(KINDS)) {
      if (n[kind]) place.append(make("span", kind, `${sign}${n[kind]} `));
    }
    return place;
  }

  function describe(drawing, label) {
    const kind = drawing.kinds[label];
    const said = kind ? `, ${KINDS[kind].said}` : "";
    return `${nameOf(label)}, probability ${drawing.proba[label].toFixed(2)}${said}`;
  }

  function drawItem(drawing, label, path, parent) {
    drawing.nRows += 1;
    const shown = children[label].filter((c) => !drawing.shown || drawing.shown.has(c));
    const open = shown.length > 0 && isOpen(drawing, label, path, data.home[label] === parent);
    const item = make("li");
    item.setAttribute("role", "treeitem");
    item.setAttribute("aria-label", describe(drawing, label));
    item.setAttribute("aria-level", path.split("/").length);
    if (shown.length) item.setAttribute("aria-expanded", open);
    item.dataset.path = path;
    item.tabIndex = -1;
    item.append(drawRow(drawing, label, open, shown.length > 0));
    if (open) item.append(drawItems(drawing, shown, path, label, make("ul")));
    return item;
  }

  function drawItems(drawing, labels, path, parent, list) {
    if (parent >= 0) list.setAttribute("role", "group");
    for (const label of labels) {
      if (drawing.nRows >= MOST_ROWS) {
        drawing.isCut = true;
        break;
      }
      list.append(drawItem(drawing, label, path ? `${path}/${label}` : `${label}`, parent));
    }
    return list;
  }

  function draw() {
    const sample = data.samples[state.sample];
    const proba = probabilities(sample);
    const kinds = kindsOf(sample, proba);
    const drawing = { proba, kinds, below: countBelow(kinds), nRows: 0, isCut: false };
    Object.assign(drawing, choose(kinds));
    const tree = byId("tree");
    const hadFocus = tree.contains(document.activeElement);
    tree.replaceChildren();
    const shownRoots = roots.filter((k) => !drawing.shown || drawing.shown.has(k));
    drawItems(drawing, shownRoots, "", -1, tree);
    const items = tree.querySelectorAll("[role=treeitem]");
    let current = [...items].find((item) => item.dataset.path === state.focus);
    current ??= items[0];
    if (current) current.tabIndex = 0;
    if (current && hadFocus) current.focus();
    say(drawing, kinds);
  }

  // -- what is said above and below the tree -------------------------------------------

  const share = (part, whole) => (whole ? (part / whole).toFixed(2) : "–");
  const many = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;

  function say(drawing, kinds) {
    const n = count(kinds);
    const predicted = n.right + n.false;
    let text = many(predicted, "label") + " predicted.";
    if (data.hasTrue) {
      text =
        `${n.right} right, ${n.missed} missed, ${n.false} false: precision ` +
        `${share(n.right, predicted)}, recall ${share(n.right, n.right + n.missed)}.`;
      if (data.samples.length > 1) text += ` ${sayAll()}`;
    }
    byId("summary").textContent = text;
    const notes = [];
    if (drawing.found) notes.push(`${many(drawing.found.length, "label")} found.`);
    else if (!drawing.all && !drawing.nRows) notes.push("No label of this kind.");
    if (drawing.isCut) notes.push(`The first ${many(MOST_ROWS, "row")} are drawn.`);
    byId("note").textContent = notes.join(" ");
    byId("threshold-value").textContent = state.threshold.toFixed(2);
    byId("before").disabled = state.sample === 0;
    byId("next").disabled = state.sample === data.samples.length - 1;
  }

  function sayAll() {
    const sum = { right: 0, false: 0, missed: 0 };
    for (const sample of data.samples) {
      const n = count(kindsOf(sample, probabilities(sample)));
      for (const kind of Object.keys(sum)) sum[kind] += n[kind];
    }
    const f1 = share(2 * sum.right, 2 * sum.right + sum.false + sum.missed);
    return `All ${data.samples.length} samples: micro F1 ${f1}.`;
  }

  function drawLegend() {
    for (const [kind, { sign, said }] of Object.entries(KINDS)) {
      if (!data.hasTrue && kind !== "right") continue;
      byId("legend").append(make("span", kind, `${sign} ${said}`));
    }
  }

  // -- the user ------------------------------------------------------------------------

  function setOpen(item, open) {
    state.open.set(item.dataset.path, open);
    state.focus = item.dataset.path;
    draw();
  }

  function goTo(item) {
    if (!item) return;
    for (const other of byId("tree").querySelectorAll("[tabindex='0']")) other.tabIndex = -1;
    item.tabIndex = 0;
    state.focus = item.dataset.path;
    item.focus();
  }

  function onKey(event) {
    const item = event.target.closest("[role=treeitem]");
    if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
    const items = [...byId("tree").querySelectorAll("[role=treeitem]")];
    const at = items.indexOf(item);
    const expanded = item.getAttribute("aria-expanded");
    const acts = {
      ArrowDown: () => goTo(items[at + 1]),
      ArrowUp: () => goTo(items[at - 1]),
      Home: () => goTo(items[0]),
      End: () => goTo(items.at(-1)),
      ArrowRight: () => (expanded === "false" ? setOpen(item, true) : expanded && goTo(items[at + 1])),
      ArrowLeft: () =>
        expanded === "true"
          ? setOpen(item, false)
          : goTo(item.parentElement.closest("[role=treeitem]")),
      Enter: () => expanded && setOpen(item, expanded === "false"),
      " ": () => expanded && setOpen(item, expanded === "false"),
    };
    if (!(event.key in acts)) return;
    event.preventDefault();
    acts[event.key]();
  }

  function foldAll(open) {
    state.open.clear();
    const home = (label) => (data.home[label] < 0 ? `${label}` : `${home(data.home[label])}/${label}`);
    children.forEach((below, label) => below.length && state.open.set(home(label), open));
    draw();
  }

  function setSample(number) {
    state.sample = number;
    byId("sample").value = String(number);
    state.open.clear();
    draw();
  }

  function addOptions(select, texts) {
    texts.forEach(([value, text]) => {
      const option = make("option", "", text);
      option.value = value;
      select.append(option);
    });
  }

  function start() {
    drawLegend();
    addOptions(byId("sample"), data.samples.map((s, k) => [String(k), s.name]));
    const views = [["marked", data.hasTrue ? "predicted or true" : "predicted"]];
    if (data.hasTrue) views.push(["errors", "missed or false"]);
    views.push(["all", `all ${nLabels.toLocaleString("en")}`]);
    addOptions(byId("view"), views);
    byId("sample-field").hidden = data.samples.length === 1;
    byId("own-field").hidden = !data.hasPred;
    byId("own").checked = state.own;
    byId("threshold").value = state.threshold;
    byId("controls").addEventListener("submit", (event) => event.preventDefault());
    byId("sample").addEventListener("change", (e) => setSample(Number(e.target.value)));
    byId("before").addEventListener("click", () => setSample(state.sample - 1));
    byId("next").addEventListener("click", () => setSample(state.sample + 1));
    byId("view").addEventListener("change", (e) => {
      state.view = e.target.value;
      state.open.clear();
      draw();
    });
    byId("search").addEventListener("input", (e) => {
      state.query = e.target.value;
      state.open.clear();
      draw();
    });
    byId("search").addEventListener("keydown", (e) => {
      if (e.key === "Enter") {
        const first = byId("tree").querySelector("mark");
        goTo(first?.closest("[role=treeitem]"));
      } else if (e.key === "Escape") {
        e.target.value = state.query = "";
        draw();
      }
    });
    byId("threshold").addEventListener("input", (e) => {
      state.threshold = Number(e.target.value);
      state.own = byId("own").checked = false;
      draw();
    });
    byId("own").addEventListener("change", (e) => {
      state.own = e.target.checked;
      draw();
    });
    byId("unfold").addEventListener("click", () => foldAll(true));
    byId("fold").addEventListener("click", () => foldAll(false));
    byId("tree").addEventListener("keydown", onKey);
    byId("tree").addEventListener("click", (event) => {
      const item = event.target.closest("[role=treeitem]");
      if (!item) return;
      const expanded = item.getAttribute("aria-expanded");
      goTo(item);
      if (expanded) setOpen(item, expanded === "false");
    });
    draw();
  }

  start();
})();
