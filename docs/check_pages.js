// What docs/check_pages.py asks of every page, in the page itself.
(() => {
  const HIDDEN = ".visually-hidden, .sr-only, mjx-assistive-mml, [aria-hidden=true]";
  const TEX = /\\\(|\\\)|\\\[|\\\]|\$\$|\\[a-zA-Z]{2,}/;
  const LARGE = 24; // pixels, from which text needs less contrast
  const LARGE_AND_BOLD = 18.66;

  // -- text ---------------------------------------------------------------------------

  const describe = (element) => {
    const name = element.tagName.toLowerCase();
    const kind = typeof element.className === "string" ? element.className.trim() : "";
    return kind ? `${name}.${kind.split(/\s+/).join(".")}` : name;
  };

  const shorten = (text) => text.trim().replace(/\s+/g, " ").slice(0, 60);

  function textNodes() {
    const found = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const parent = walk.currentNode.parentElement;
      if (!walk.currentNode.data.trim()) continue;
      if (parent.closest("script, style, noscript, template, svg")) continue;
      found.push(walk.currentNode);
    }
    return found;
  }

  const isShown = (element) =>
    !element.closest(HIDDEN) &&
    element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });

  function rawTex() {
    const found = [];
    for (const node of textNodes()) {
      if (node.parentElement.closest("pre, code, mjx-container")) continue;
      if (TEX.test(node.data)) found.push(`raw TeX: ${shorten(node.data)}`);
    }
    for (const box of document.querySelectorAll(".math:not(:has(mjx-container))")) {
      found.push(`formula not drawn: ${shorten(box.textContent)}`);
    }
    for (const error of document.querySelectorAll("mjx-merror")) {
      found.push(`formula with an error: ${error.title || error.dataset.mjxError}`);
    }
    return found;
  }

  // -- contrast -----------------------------------------------------------------------

  const canvas = document.createElement("canvas").getContext("2d", {
    willReadFrequently: true,
  });
  const known = new Map();

  // Any colour of CSS as [red, green, blue, alpha], each from 0 to 1.
  function readColour(css) {
    if (!known.has(css)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = css;
      canvas.fillRect(0, 0, 1, 1);
      known.set(css, [...canvas.getImageData(0, 0, 1, 1).data].map((x) => x / 255));
    }
    return known.get(css);
  }

  const over = (above, below) =>
    [0, 1, 2].map((k) => above[k] * above[3] + below[k] * (1 - above[3])).concat(1);

  function luminance(colour) {
    const linear = colour.map((x) =>
      x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  }

  // null where a picture lies behind: its colours are not known
  function background(element) {
    const layers = [];
    for (let box = element; box; box = box.parentElement) {
      const style = getComputedStyle(box);
      if (style.backgroundImage !== "none") return null;
      const colour = readColour(style.backgroundColor);
      layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reduceRight((below, above) => over(above, below), [1, 1, 1, 1]);
  }

  function leastContrast(style) {
    const size = parseFloat(style.fontSize);
    const bold = parseInt(style.fontWeight) >= 700;
    return size >= LARGE || (bold && size >= LARGE_AND_BOLD) ? 3 : 4.5;
  }

  function lowContrast() {
    const found = [];
    const seen = new Set();
    for (const node of textNodes()) {
      const element = node.parentElement;
      if (seen.has(element) || !isShown(element)) continue;
      seen.add(element);
      const below = background(element);
      if (below === null) continue;
      const style = getComputedStyle(element);
      const text = luminance(over(readColour(style.color), below));
      const [low, high] = [text, luminance(below)].sort((a, b) => a - b);
      const contrast = (high + 0.05) / (low + 0.05);
      if (contrast < leastContrast(style)) {
        const what = `${describe(element)}, ${style.color}`;
        found.push(`contrast ${contrast.toFixed(2)} of ${what}: ${shorten(node.data)}`);
      }
    }
    return found;
  }

  // -- boxes, pictures, links ---------------------------------------------------------

  // A box that holds the title is the whole text, and no box of a wide thing in it.
  function scrolls(element) {
    for (let box = element; box && !box.querySelector("h1"); box = box.parentElement) {
      if (["auto", "scroll"].includes(getComputedStyle(box).overflowX)) return true;
    }
    return false;
  }

  // Text beyond the edge that nothing scrolls to, and a page that scrolls sideways.
  function overflow() {
    const root = document.documentElement;
    const found = [];
    if (root.scrollWidth > root.clientWidth) {
      found.push(`the page is ${root.scrollWidth} pixels wide`);
    }
    const range = document.createRange();
    for (const node of textNodes()) {
      range.selectNodeContents(node);
      const right = range.getBoundingClientRect().right;
      const element = node.parentElement;
      if (right > root.clientWidth + 1 && isShown(element) && !scrolls(element)) {
        found.push(`${describe(element)} ends at ${right}: ${shorten(node.data)}`);
      }
    }
    return found;
  }

  function picturesWithoutText() {
    const pictures = document.querySelectorAll("img, svg[role=img], object, embed");
    return [...pictures]
      .filter((one) => !one.closest("[aria-hidden=true], [role=presentation]"))
      .filter((one) => !(one.alt || one.ariaLabel || one.textContent).trim())
      .map((one) => `picture without a text: ${one.src || describe(one)}`);
  }

  const links = () => [...document.querySelectorAll("a[href]")].map((a) => a.href);

  const anchors = () =>
    [...document.querySelectorAll("[id], a[name]")].map((one) => one.id || one.name);

  // Colours are compared at rest, and hidden parts that open with a click are left shut.
  const rest = document.createElement("style");
  rest.textContent = "* { transition: none !important; animation: none !important }";
  document.head.append(rest);

  window.skhmcCheck = {
    setTheme: (theme) => (document.documentElement.dataset.theme = theme),
    rawTex,
    lowContrast,
    overflow,
    picturesWithoutText,
    links,
    anchors,
  };
})();
