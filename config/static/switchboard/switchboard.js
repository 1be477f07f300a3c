// Small comforts for pages that work without them: count-downs, confirmations, names of inputs, printing, quick search.
"use strict";

// --- count-downs: <time data-countdown data-seconds="1790">; the last minute marks the banner ----

function spell(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
}

for (const clock of document.querySelectorAll("[data-countdown]")) {
  // Counted from the server's "seconds left", for the browser's own clock may be wrong.
  const end = performance.now() + 1000 * Number(clock.dataset.seconds);
  const owner = clock.closest("[data-login-as]");
  const tick = () => {
    const left = Math.max(0, Math.round((end - performance.now()) / 1000));
    clock.textContent = spell(left);
    if (left <= 60 && owner) owner.dataset.over = "";
    if (left === 0) clearInterval(timer);
  };
  const timer = setInterval(tick, 1000);
  tick();
}

// --- the admin's sticky sidebar begins under the login-as banner, however many lines that has --------------------------

const banner = document.querySelector("[data-login-as].sb-acting");

if (banner) {
  new ResizeObserver(() => {
    document.documentElement.style.setProperty("--sb-banner", `${banner.offsetHeight}px`);
  }).observe(banner);
}

// --- confirmations: <form data-confirm="End this session?"> ------------------------------------------------------------

document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

// --- Django's date and time inputs stand beside their words; a screen reader needs them as names --------------------------

for (const input of document.querySelectorAll("p.datetime > input")) {
  const words = input.previousSibling?.textContent.trim();
  const label = input.closest(".form-row, td")?.querySelector("label, legend")?.textContent ?? "";
  if (words) input.setAttribute("aria-label", `${label} ${words}`.trim());
}

// --- <button data-print> ----------------------------------------------------------------------------------------------

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// --- quick search: Ctrl-K or Cmd-K opens <dialog data-finder>, whose form names the address that answers JSON ------------

const finder = document.querySelector("dialog[data-finder]");

if (finder) {
  const field = finder.querySelector("input[type=search]");
  const list = finder.querySelector("[data-results]");
  const note = finder.querySelector("[data-note]");
  const hint = note.textContent;
  let asked = 0;
  let wait;

  const open = (event) => {
    event.preventDefault();
    if (!finder.open) finder.showModal();
    field.select();
  };

  const icon = (name) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    svg.setAttribute("class", "sb-icon");
    svg.setAttribute("aria-hidden", "true");
    use.setAttribute("href", `${finder.dataset.icons}#${name}`);
    svg.append(use);
    return svg;
  };

  const show = (results) => {
    list.replaceChildren(
      ...results.map(({ url, title, detail, icon: name }) => {
        const item = document.createElement("li");
        const link = document.createElement("a");
        const words = document.createElement("span");
        const small = document.createElement("small");
        link.href = url;
        words.textContent = title;
        small.textContent = detail;
        link.append(icon(name), words, small);
        item.append(link);
        return item;
      }),
    );
    note.textContent = field.value.trim() ? note.dataset.nothing : hint;
    note.hidden = results.length > 0;
  };

  const ask = async () => {
    const words = field.value.trim();
    const turn = ++asked;
    if (!words) return show([]);
    const address = new URL(finder.querySelector("form").action);
    address.searchParams.set("q", words);
    const answer = await fetch(address, { headers: { Accept: "application/json" } }).catch(() => null);
    if (turn !== asked) return;
    show(answer?.ok ? (await answer.json()).results : []);
  };

  field.addEventListener("input", () => {
    clearTimeout(wait);
    wait = setTimeout(ask, 150);
  });

  // Arrow keys walk from the field through the results and back.
  finder.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const stops = [field, ...list.querySelectorAll("a")];
    const step = event.key === "ArrowDown" ? 1 : -1;
    const at = stops.indexOf(document.activeElement);
    stops[(at + step + stops.length) % stops.length].focus();
    event.preventDefault();
  });

  // A click on the backdrop is a click on the dialog itself.
  finder.addEventListener("click", (event) => {
    if (event.target === finder) finder.close();
  });

  for (const opener of document.querySelectorAll("[data-open-finder]")) opener.addEventListener("click", open);
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") open(event);
  });
}
