// Asks for the page again once a second and carries what differs into the one that is shown, so that focus, selection
// and scroll positions stay. One renderer, the server's; nothing from an answer is ever run.
"use strict";

const PERIOD = 1000;
const PATIENCE = 5000;

const pause = document.getElementById("pause");
const lost = document.getElementById("lost");
let paused = false;
let last = new Date();

function carry(shown, fresh) {
  if (shown.nodeType !== fresh.nodeType || shown.nodeName !== fresh.nodeName) {
    shown.replaceWith(document.importNode(fresh, true));
    return;
  }
  if (shown.nodeType === Node.TEXT_NODE) {
    if (shown.data !== fresh.data) shown.data = fresh.data;
    return;
  }
  if (shown.nodeType !== Node.ELEMENT_NODE) return;
  for (const name of shown.getAttributeNames()) {
    if (!fresh.hasAttribute(name)) shown.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (shown.getAttribute(name) !== value) shown.setAttribute(name, value);
  }
  while (shown.childNodes.length > fresh.childNodes.length) shown.lastChild.remove();
  for (let place = 0; place < fresh.childNodes.length; place++) {
    const child = fresh.childNodes[place];
    if (place < shown.childNodes.length) carry(shown.childNodes[place], child);
    else shown.append(document.importNode(child, true));
  }
}

function tell(good) {
  document.body.classList.toggle("lost", !good);
  if (good) last = new Date();
  else if (lost.hidden) {
    lost.textContent = `No answer from the relay since ${last.toISOString().slice(11, 19)} UTC. What is below is old.`;
    document.title = `No answer: ${document.title.replace(/^[^:]*: /, "")}`;
  }
  lost.hidden = good;
}

async function look() {
  const options = { cache: "no-store", credentials: "omit", redirect: "error", signal: AbortSignal.timeout(PATIENCE) };
  const answer = await fetch("/console", options);
  if (!answer.ok) throw new Error(String(answer.status));
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (paused) return;
  carry(document.querySelector("main"), fresh.querySelector("main"));
  document.title = fresh.title;
}

async function turn() {
  if (!paused && !document.hidden) {
    try {
      await look();
      tell(true);
    } catch {
      tell(false);
    }
  }
  setTimeout(turn, PERIOD);
}

pause.hidden = false;
pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? "Paused" : "Pause";
});
setTimeout(turn, PERIOD);
