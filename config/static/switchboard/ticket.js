// The customer's page of a ticket: times in the reader's own zone, and a waiting room that opens by itself.
"use strict";

// The page's language as the reader's own country writes it: 16:08 in London, 4:08 PM in New York.
const language = document.documentElement.lang;
const own = navigator.languages.filter((one) => one.split("-")[0] === language);
const words = new Intl.DateTimeFormat([...own, language], {
  weekday: "long",
  day: "numeric",
  month: "long",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  timeZoneName: "short",
});

for (const time of document.querySelectorAll("time[data-local]")) {
  time.title = time.textContent;
  time.textContent = words.format(new Date(time.dateTime));
}

const room = document.querySelector("[data-opens-in]");

if (room) {
  // Looks again at the time itself, and every hour until then: a browser's clock may be wrong, and the meeting may be moved.
  const seconds = Math.min(Number(room.dataset.opensIn), 3600);
  setTimeout(() => window.location.reload(), 1000 * seconds + 500);
}
