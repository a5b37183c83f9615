// Shows a log while it grows: each request waits in the server until there is more.
"use strict";

const WAIT_SECONDS = 25;
const RETRY_MILLISECONDS = 2000;
const MOST_CHARACTERS = 2_000_000; // what a browser shows without slowing down; the plain text has all

const pane = document.getElementById("log");
const follow = document.getElementById("log-follow");
const state = document.getElementById("log-state");
const decoder = new TextDecoder();

function append(text) {
  pane.append(text);
  while (pane.textContent.length > MOST_CHARACTERS && pane.childNodes.length > 1) {
    pane.firstChild.remove();
  }
  if (follow.checked) {
    pane.scrollTop = pane.scrollHeight;
  }
}

async function showState() {
  const response = await fetch(pane.dataset.executionUrl);
  if (response.ok) {
    state.textContent = (await response.json()).state;
  }
}

async function tail() {
  let offset = 0;
  let final = false;
  while (!final) {
    try {
      const response = await fetch(`${pane.dataset.url}?offset=${offset}&wait=${WAIT_SECONDS}`);
      if (!response.ok) {
        throw new Error(String(response.status));
      }
      append(decoder.decode(await response.arrayBuffer(), { stream: true }));
      offset = Number(response.headers.get("Orchestra-Log-Offset"));
      final = response.headers.get("Orchestra-Final") === "true";
      await showState();
    } catch (error) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MILLISECONDS));
    }
  }
}

tail();
