// Filters what the page shows. The page is whole without it.
"use strict";
(() => {
  const form = document.getElementById("filter");
  const search = document.getElementById("search");
  const found = document.getElementById("found");
  const events = [...document.querySelectorAll(".event")];
  const others = [...document.querySelectorAll("tr[data-bits], .lane[data-bits]")];
  const marks = [...document.querySelectorAll(".lane .mark")];
  const texts = new Map();

  const textOf = (element) => {
    if (!texts.has(element)) texts.set(element, element.textContent.toLowerCase());
    return texts.get(element);
  };
  const bitsOf = (element) => element.dataset.bits.split(" ");

  const apply = () => {
    const asked = new FormData(form);
    const bits = asked.getAll("bit");
    const words = asked.get("text").toLowerCase().split(/\s+/).filter(Boolean);
    const same = (element, name) => !asked.get(name) || element.dataset[name] === asked.get(name);
    const hasBit = (element) => !bits.length || bitsOf(element).some((bit) => bits.includes(bit));
    const shown = new Set();
    for (const event of events) {
      const fits = hasBit(event) && same(event, "module") && same(event, "kind") && same(event, "confidence")
        && words.every((word) => textOf(event).includes(word));
      event.hidden = !fits;
      if (fits) shown.add(event.dataset.event);
    }
    for (const other of others) {
      const ofModule = "module" in other.dataset ? same(other, "module") : true;
      other.hidden = !(hasBit(other) && ofModule);
    }
    for (const mark of marks) mark.classList.toggle("dim", "event" in mark.dataset && !shown.has(mark.dataset.event));
    for (const day of document.querySelectorAll(".day")) {
      let next = day.nextElementSibling;
      while (next && next.hidden) next = next.nextElementSibling;
      day.hidden = !next || next.classList.contains("day");
    }
    found.textContent = shown.size === events.length
      ? `${events.length} entries` : `${shown.size} of ${events.length} entries`;
  };

  const open = () => {
    const target = location.hash.startsWith("#e") && document.getElementById(location.hash.slice(1));
    if (!target || !("event" in target.dataset)) return;
    target.hidden = false;
    target.open = true;
    target.querySelector("summary").focus({ preventScroll: true });
    target.scrollIntoView({ block: "center" });
  };

  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  addEventListener("hashchange", open);
  addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && form.contains(document.activeElement)) {
      form.reset();
    }
  });
  form.hidden = false;
  apply();
  open();
})();
