// The wall draws itself anew every few seconds, and says so when it no longer can.
"use strict";

const wall = document.querySelector("[data-wall]");
const lost = document.querySelector("[data-wall-lost]");

async function draw() {
  // A redirect means that nobody is signed in any more: the page itself leads to the form.
  const answer = await fetch(wall.dataset.wall, { redirect: "manual", cache: "no-store" });
  if (answer.type === "opaqueredirect" || answer.status === 403) return location.reload();
  if (!answer.ok) throw new Error(`the wall answered ${answer.status}`);
  const drawn = new DOMParser().parseFromString(await answer.text(), "text/html");
  wall.replaceChildren(...drawn.body.childNodes);
}

async function keepDrawing() {
  // A screen that nobody sees asks for nothing.
  if (!document.hidden) {
    try {
      await draw();
      lost.hidden = true;
    } catch {
      lost.hidden = false;
    }
    wall.toggleAttribute("data-lost", !lost.hidden);
  }
  setTimeout(keepDrawing, 1000 * Number(wall.dataset.seconds));
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) draw().catch(() => {});
});

setTimeout(keepDrawing, 1000 * Number(wall.dataset.seconds));
