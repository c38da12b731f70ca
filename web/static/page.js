// What the pages do beyond links and forms. Without it everything still works.
"use strict";

const box = document.querySelector("#q");
const form = document.querySelector("#search");

// Addresses without what was left empty.
form?.addEventListener("submit", () => {
  for (const input of form.elements) if (input.name && input.name !== "q" && !input.value) input.disabled = true;
});
// Going back shows the page as it was left, so inputs must be able to answer again.
addEventListener("pageshow", () => {
  for (const input of form?.elements ?? []) input.disabled = false;
});

// Suggestions while typing: a combobox as WAI-ARIA describes it (list, no inline completion).
const WAIT_MS = 150;
if (box && form.getAttribute("action") === "/") {
  const list = document.createElement("ul");
  list.id = "suggestions";
  list.className = "suggestions";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Suggestions");
  list.hidden = true;
  box.after(list);
  box.setAttribute("role", "combobox");
  box.setAttribute("aria-autocomplete", "list");
  box.setAttribute("aria-controls", list.id);
  box.setAttribute("aria-expanded", "false");

  let found = [];
  let at = -1;
  let typed = box.value;
  let timer = 0;
  let asking;

  const close = () => {
    clearTimeout(timer);
    asking?.abort();
    list.hidden = true;
    at = -1;
    box.setAttribute("aria-expanded", "false");
    box.removeAttribute("aria-activedescendant");
  };
  const choose = (index) => {
    box.value = found[index].query;
    close();
    form.requestSubmit();
  };
  const show = (index) => {
    at = index;
    [...list.children].forEach((item, n) => item.setAttribute("aria-selected", String(n === at)));
    if (at < 0) box.removeAttribute("aria-activedescendant");
    else box.setAttribute("aria-activedescendant", list.children[at].id);
    box.value = at < 0 ? typed : found[at].query;
  };
  const fill = () => {
    list.replaceChildren(...found.map((one, n) => {
      const item = document.createElement("li");
      item.id = `suggestion-${n}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", "false");
      const kind = document.createElement("span");
      kind.className = "kind";
      kind.textContent = one.kind;
      item.append(one.text, " ", kind);
      // Before the box loses the focus and with it the list.
      item.addEventListener("mousedown", (event) => { event.preventDefault(); choose(n); });
      return item;
    }));
    list.hidden = !found.length;
    at = -1;
    box.setAttribute("aria-expanded", String(!list.hidden));
  };
  const ask = async () => {
    asking?.abort();
    asking = new AbortController();
    try {
      const answer = await fetch(`/api/v1/suggest?q=${encodeURIComponent(typed)}`, { signal: asking.signal });
      found = answer.ok ? (await answer.json()).suggestions : [];
      fill();
    } catch { /* aborted, or no network: there is the box itself */ }
  };

  box.addEventListener("input", () => {
    typed = box.value;
    clearTimeout(timer);
    if (typed.trim().length < 2) close();
    else timer = setTimeout(ask, WAIT_MS);
  });
  box.addEventListener("blur", close);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.preventDefault();
      if (list.hidden) { box.value = typed = ""; } else { box.value = typed; close(); }
    } else if (event.key === "Enter") {
      close();
    } else if (!list.hidden && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      // From the last to what was typed, and round.
      show(((at + 1 + step + found.length + 1) % (found.length + 1)) - 1);
    }
  });
}

// Keys: / to the box, arrows from the box and from result to result, n and p from passage to passage. Whoever's
// speech or hands press letters by accident can turn those off (WCAG 2.1.4); it is remembered here only.
const LETTERS = "dateline.letters";
const letters = document.querySelector("#letters");
const remembered = () => { try { return localStorage.getItem(LETTERS); } catch { return null; } };
if (letters) {
  letters.checked = remembered() !== "off";
  letters.closest("label").hidden = false;
  letters.addEventListener("change", () => {
    try { localStorage.setItem(LETTERS, letters.checked ? "on" : "off"); } catch { /* for this page, then */ }
  });
}
// Results that were asked for in the box are one arrow away from it.
const ASKED = "dateline.asked";
form?.addEventListener("submit", () => { try { sessionStorage.setItem(ASKED, "1"); } catch { /* then not */ } });
try {
  if (sessionStorage.getItem(ASKED) && document.querySelector(".hits")) box?.focus({ preventScroll: true });
  sessionStorage.removeItem(ASKED);
} catch { /* then not */ }
const results = () => [...document.querySelectorAll(".hits h2 a, .hits h3 a")];
const matches = () => [...document.querySelectorAll("section.match")];

const typing = (target) => target.closest("input:not([type=hidden]), textarea, select, [contenteditable]");

const step = (items, current, by) => {
  const next = items.indexOf(current) + by;
  return items[Math.max(0, Math.min(items.length - 1, next))];
};

const toPassage = (by) => {
  const items = matches();
  const current = items.find((one) => `#${one.id}` === location.hash);
  const next = current ? step(items, current, by) : items[0];
  if (!next) return;
  history.replaceState(null, "", `#${next.id}`);
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "start" });
};

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const inBox = event.target === box;
  if (typing(event.target) && !inBox) return;
  const arrow = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (arrow && results().length) {
    const current = document.activeElement;
    if (!inBox && !results().includes(current)) return;
    event.preventDefault();
    if (arrow < 0 && results()[0] === current) box.focus();
    else if (!(inBox && arrow < 0)) step(results(), current, arrow).focus();
  } else if (inBox || (event.key !== "Escape" && letters && !letters.checked)) {
    return;
  } else if (event.key === "/") {
    event.preventDefault();
    box?.focus();
    box?.select();
  } else if (event.key === "Escape" && box) {
    box.value = "";
    box.focus();
  } else if (event.key === "n" || event.key === "p") {
    toPassage(event.key === "n" ? 1 : -1);
  }
});

// Dragging over the timeline chooses the time from where it began to where it ended.
for (const chart of document.querySelectorAll("[data-timeline]")) {
  const bars = [...chart.querySelectorAll("a")];
  const under = (event) => {
    const { left, width } = chart.getBoundingClientRect();
    return Math.max(0, Math.min(bars.length - 1, Math.floor(((event.clientX - left) / width) * bars.length)));
  };
  let from = -1;
  let to = -1;
  const paint = () => bars.forEach((bar, n) => {
    bar.classList.toggle("chosen", from >= 0 && n >= Math.min(from, to) && n <= Math.max(from, to));
  });
  chart.addEventListener("pointerdown", (event) => {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey) return; // a link like any other
    from = to = under(event);
    chart.setPointerCapture(event.pointerId);
    paint();
  });
  chart.addEventListener("pointermove", (event) => {
    if (from < 0) return;
    to = under(event);
    paint();
  });
  const cancel = () => { from = to = -1; paint(); };
  chart.addEventListener("pointercancel", cancel);
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && from >= 0) { event.preventDefault(); cancel(); }
  }, { capture: true });
  chart.addEventListener("pointerup", () => {
    if (from < 0) return;
    const [first, last] = [bars[Math.min(from, to)], bars[Math.max(from, to)]];
    from = -1;
    const address = new URL(first.href.baseVal, location.href);
    address.searchParams.set("from", first.dataset.from);
    address.searchParams.set("to", last.dataset.to);
    location.assign(address);
  });
  // A link that is dragged would be taken along by the browser; and the click has been answered by pointerup.
  chart.addEventListener("dragstart", (event) => event.preventDefault());
  chart.addEventListener("click", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.shiftKey) event.preventDefault();
  });
}

// Copying a citation or a link.
for (const control of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  control.hidden = false;
  const words = control.textContent;
  control.addEventListener("click", async (event) => {
    event.preventDefault();
    try {
      await navigator.clipboard.writeText(control.dataset.copy);
      control.textContent = "Copied";
    } catch {
      control.textContent = "Could not copy";
    }
    setTimeout(() => { control.textContent = words; }, 2000);
  });
}

// A page that could not be answered is loaded again as soon as the server says that it is ready.
const AGAIN_MS = 2000;
for (const notice of document.querySelectorAll("[data-again]")) {
  notice.textContent = "This page comes by itself as soon as the server is ready.";
  const look = setInterval(async () => {
    try {
      if ((await fetch("/readyz")).ok) { clearInterval(look); location.reload(); }
    } catch { /* it is not there at all: later, perhaps */ }
  }, AGAIN_MS);
}
