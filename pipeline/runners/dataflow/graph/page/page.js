// The script of graph.html: draws the graph with the layout of dagre. Runs in a browser, without any request.
"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const { nodes, edges } = JSON.parse(document.getElementById("data").textContent);
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const partsOf = new Map(nodes.map(({ id }) => [id, nodes.filter(({ parent }) => parent === id)]));
  const expanded = new Set();
  let scale = 1;
  let selected;
  /** What is drawn: boxes and clusters by id, with their place. */
  let drawn = new Map();
  let drawnEdges = [];

  const element = (name, attributes = {}, text) => {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const byElementId = (id) => document.getElementById(id);

  /** The node and its composites, outermost first. */
  const pathOf = (id) => {
    const path = [];
    for (let node = byId.get(id); node; node = byId.get(node.parent)) path.unshift(node);
    return path;
  };
  /** What shows a node: its outermost composite that is closed, or the node itself. */
  const shownAs = (id) => pathOf(id).find((node) => !expanded.has(node.id)).id;
  const stepsIn = (node) => (node.isComposite ? partsOf.get(node.id).flatMap(stepsIn) : [node]);
  const allIn = (node) => [node, ...partsOf.get(node.id).flatMap(allIn)];
  const keptText = ({ keeps, cells }) => (cells.length ? `${keeps}: ${cells.join(", ")}` : keeps);

  /** The second line of a box. */
  const secondLine = (node) => {
    const resources = [...new Set(allIn(node).flatMap(({ resource }) => resource ?? []))];
    if (resources.length > 0) return resources.join(", ");
    if (!node.isComposite) return node.keeps ? `keeps ${keptText(node)}` : "";
    const steps = stepsIn(node);
    return `${steps.length} ${steps.length === 1 ? "step" : "steps"}`;
  };
  const keepsAnything = (node) => stepsIn(node).some(({ keeps }) => keeps);

  const WIDTH_OF_LETTER = 7.4;
  const MARGIN = 16;
  const MAX_LETTERS = 46;
  const cut = (text) => (text.length > MAX_LETTERS ? `${text.slice(0, MAX_LETTERS - 1)}…` : text);
  const sizeOf = (node) => {
    const letters = Math.max(cut(node.label).length + (node.isComposite ? 3 : 0), cut(secondLine(node)).length * 0.86);
    return { width: Math.max(110, letters * WIDTH_OF_LETTER + 26), height: secondLine(node) ? 48 : 34 };
  };

  function layout() {
    const graph = new dagre.graphlib.Graph({ compound: true });
    graph.setGraph({ rankdir: "TB", nodesep: 22, ranksep: 34, marginx: MARGIN, marginy: MARGIN });
    graph.setDefaultEdgeLabel(() => ({}));
    const visible = nodes.filter(({ id }) =>
      pathOf(id)
        .slice(0, -1)
        .every((composite) => expanded.has(composite.id)),
    );
    for (const node of visible) {
      graph.setNode(node.id, expanded.has(node.id) ? {} : sizeOf(node));
      if (node.parent !== null) graph.setParent(node.id, node.parent);
    }
    for (const { from, to } of edges) {
      const [start, end] = [shownAs(from), shownAs(to)];
      if (start !== end) graph.setEdge(start, end);
    }
    dagre.layout(graph);
    return { graph, visible };
  }

  const label = (node) => {
    const parts = [node.id, node.kind];
    if (node.isComposite) parts.push(`${stepsIn(node).length} steps`);
    if (secondLine(node) && !node.isComposite) parts.push(secondLine(node));
    return parts.join(", ");
  };

  function drawNode(node, place) {
    const isCluster = expanded.has(node.id);
    const [left, top] = [place.x - place.width / 2, place.y - place.height / 2];
    const group = element("g", {
      class: `node ${node.isComposite ? "composite" : "step"} ${isCluster ? "cluster" : ""}`,
      tabindex: "0",
      role: "button",
      "aria-label": label(node),
      "data-id": node.id,
    });
    if (node.isComposite) group.setAttribute("aria-expanded", String(isCluster));
    const round = node.kind === "merges collections" || node.kind === "groups by key" ? place.height / 2 : 7;
    const box = { x: left, y: top, width: place.width, height: place.height, rx: round };
    group.append(element("rect", { ...box, class: `box ${node.runsIn}` }));
    if (isCluster) {
      group.append(element("text", { x: left + 10, y: top + 16 }, `− ${node.label}`));
      return group;
    }
    if (keepsAnything(node)) {
      const inner = { x: left + 3, y: top + 3, width: place.width - 6, height: place.height - 6, rx: round - 3 };
      group.append(element("rect", { ...inner, class: "inner" }));
    }
    const second = secondLine(node);
    const middle = { x: place.x, "text-anchor": "middle" };
    const text = node.isComposite ? `+ ${cut(node.label)}` : cut(node.label);
    group.append(element("text", { ...middle, y: place.y + (second ? -3 : 5) }, text));
    if (second) group.append(element("text", { ...middle, y: place.y + 14, class: "second" }, cut(second)));
    return group;
  }

  const pathThrough = (points) => {
    const [first, ...rest] = points;
    let path = `M${first.x},${first.y}`;
    rest.forEach((point, i) => {
      const next = rest[i + 1];
      path += next
        ? ` Q${point.x},${point.y} ${(point.x + next.x) / 2},${(point.y + next.y) / 2}`
        : ` L${point.x},${point.y}`;
    });
    return path;
  };

  function draw(focusOn) {
    const { graph, visible } = layout();
    // dagre does not count the bends of edges as a part of the graph.
    const bends = graph.edges().flatMap(({ v, w }) => graph.edge(v, w).points);
    const left = Math.min(0, ...bends.map(({ x }) => x - MARGIN));
    const right = Math.max(graph.graph().width, ...bends.map(({ x }) => x + MARGIN));
    const svg = element("svg", {
      viewBox: `${left} 0 ${right - left} ${graph.graph().height}`,
      role: "group",
      "aria-label": "Steps of the job",
    });
    const marker = {
      id: "arrow",
      viewBox: "0 0 8 8",
      refX: 7,
      refY: 4,
      markerWidth: 8,
      markerHeight: 8,
      orient: "auto",
    };
    const arrow = element("marker", marker);
    arrow.append(element("path", { d: "M0,0 L8,4 L0,8 z", class: "arrow" }));
    const definitions = element("defs");
    definitions.append(arrow);
    svg.append(definitions);
    drawn = new Map(visible.map((node) => [node.id, { node, place: graph.node(node.id) }]));
    const clusters = visible.filter(({ id }) => expanded.has(id));
    for (const node of clusters) svg.append(drawNode(node, drawn.get(node.id).place));
    drawnEdges = graph.edges().map(({ v, w }) => {
      const path = element("path", {
        d: pathThrough(graph.edge(v, w).points),
        class: "edge",
        "marker-end": "url(#arrow)",
      });
      svg.append(path);
      return { from: v, to: w, path };
    });
    const boxes = visible.filter(({ id }) => !expanded.has(id));
    const inReadingOrder = boxes.sort((a, b) => {
      const [one, other] = [drawn.get(a.id).place, drawn.get(b.id).place];
      return one.y - other.y || one.x - other.x;
    });
    for (const node of inReadingOrder) svg.append(drawNode(node, drawn.get(node.id).place));
    byElementId("graph").replaceChildren(svg);
    zoom(scale);
    if (focusOn !== undefined) focus(focusOn);
    else highlight();
  }

  const graphElement = (id) => byElementId("graph").querySelector(`[data-id="${CSS.escape(id)}"]`);

  function focus(id) {
    const found = graphElement(id);
    if (!found) return;
    found.focus();
    select(id);
    found.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  function zoom(wanted) {
    scale = Math.min(2, Math.max(0.2, wanted));
    const svg = byElementId("graph").firstElementChild;
    const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
    svg.setAttribute("width", width * scale);
    svg.setAttribute("height", height * scale);
  }

  function fit() {
    const svg = byElementId("graph").firstElementChild;
    const [, , width] = svg.getAttribute("viewBox").split(" ").map(Number);
    zoom(Math.min(1, (byElementId("graph").clientWidth - 4) / width));
  }

  function toggle(id) {
    if (!byId.get(id).isComposite) return;
    if (expanded.has(id)) for (const { id: part } of allIn(byId.get(id))) expanded.delete(part);
    else expanded.add(id);
    draw(id);
  }

  function highlight() {
    for (const { from, to, path } of drawnEdges) {
      path.setAttribute("class", from === selected || to === selected ? "edge selected" : "edge");
    }
    for (const box of byElementId("graph").querySelectorAll(".node")) {
      box.classList.toggle("selected", box.dataset.id === selected);
    }
  }

  const html = (name, text) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    return made;
  };

  function neighbours(title, ids) {
    if (ids.length === 0) return [];
    const list = html("ul");
    for (const id of ids) {
      const item = html("li");
      const button = html("button", id);
      button.type = "button";
      button.addEventListener("click", () => reveal(id));
      item.append(button);
      list.append(item);
    }
    return [html("h3", title), list];
  }

  function select(id) {
    selected = id;
    highlight();
    const node = byId.get(id);
    const inside = new Set(stepsIn(node).map((step) => step.id));
    const facts = html("dl");
    const fact = (name, value) => value && facts.append(html("dt", name), html("dd", value));
    fact("does", node.kind);
    fact(
      "runs in",
      { TypeScript: "a TypeScript worker", Java: "Java's worker", service: "the service itself" }[node.runsIn],
    );
    fact("uses", [...new Set(allIn(node).flatMap(({ resource }) => resource ?? []))].join(", "));
    fact("steps", node.isComposite ? String(inside.size) : "");
    fact("windows", node.windows);
    const kept = stepsIn(node).filter(({ keeps }) => keeps);
    fact("keeps", node.isComposite ? "" : kept.map(keptText).join());
    const before = edges.filter(({ from, to }) => inside.has(to) && !inside.has(from)).map(({ from }) => from);
    const after = edges.filter(({ from, to }) => inside.has(from) && !inside.has(to)).map(({ to }) => to);
    byElementId("details").replaceChildren(
      html("h2", node.id),
      facts,
      ...(node.isComposite
        ? neighbours(
            "Steps that keep something",
            kept.map((step) => step.id),
          )
        : []),
      ...neighbours("Gets elements from", [...new Set(before)]),
      ...neighbours("Sends elements to", [...new Set(after)]),
    );
  }

  /** Opens the composites around a node, and focuses it. */
  function reveal(id) {
    for (const node of pathOf(id).slice(0, -1)) expanded.add(node.id);
    draw(id);
  }

  /** The node in a direction: along an edge upwards or downwards, or beside it. */
  function nextInDirection(id, key) {
    const along = { ArrowDown: ["from", "to"], ArrowUp: ["to", "from"] }[key];
    if (along) return drawnEdges.find((edge) => edge[along[0]] === id)?.[along[1]];
    const { place } = drawn.get(id);
    const sign = key === "ArrowRight" ? 1 : -1;
    const beside = [...drawn.values()].filter(
      (other) =>
        !expanded.has(other.node.id) && Math.abs(other.place.y - place.y) < 30 && (other.place.x - place.x) * sign > 0,
    );
    beside.sort((a, b) => (a.place.x - b.place.x) * sign);
    return beside[0]?.node.id;
  }

  byElementId("graph").addEventListener("click", (event) => {
    const box = event.target.closest(".node");
    if (!box) return;
    if (byId.get(box.dataset.id).isComposite) toggle(box.dataset.id);
    else focus(box.dataset.id);
  });
  byElementId("graph").addEventListener("focusin", (event) => {
    const box = event.target.closest(".node");
    if (box && box.dataset.id !== selected) select(box.dataset.id);
  });
  byElementId("graph").addEventListener("keydown", (event) => {
    const id = event.target.closest(".node")?.dataset.id;
    if (id === undefined) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      toggle(id);
    } else if (event.key === "Escape") {
      const around = byId.get(id).parent;
      if (expanded.has(id)) toggle(id);
      else if (around !== null) toggle(around);
    } else if (event.key.startsWith("Arrow")) {
      event.preventDefault();
      const next = nextInDirection(id, event.key);
      if (next !== undefined) focus(next);
    }
  });

  byElementId("expand").addEventListener("click", () => {
    for (const { id, isComposite } of nodes) if (isComposite) expanded.add(id);
    draw();
  });
  byElementId("collapse").addEventListener("click", () => {
    expanded.clear();
    draw();
    fit();
  });
  byElementId("larger").addEventListener("click", () => zoom(scale * 1.25));
  byElementId("smaller").addEventListener("click", () => zoom(scale / 1.25));
  byElementId("fit").addEventListener("click", fit);
  byElementId("find").addEventListener("change", ({ target }) => {
    const wanted = target.value.trim().toLowerCase();
    if (wanted === "") return;
    const found =
      nodes.find(({ id }) => id.toLowerCase() === wanted) ?? nodes.find(({ id }) => id.toLowerCase().includes(wanted));
    if (found) reveal(found.id);
  });
  byElementId("names").append(
    ...nodes.map(({ id }) => {
      const option = html("option");
      option.value = id;
      return option;
    }),
  );
  byElementId("toolbar").hidden = false;
  byElementId("main").hidden = false;
  draw();
  fit();
})();
