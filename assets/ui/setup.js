// Sends the form of the first start as JSON and shows what the server says.
"use strict";

const form = document.getElementById("setup");
const message = document.getElementById("message");
const button = form.querySelector("button");
const token = new URLSearchParams(location.search).get("token") || "";

function show(field, text) {
  const input = form.elements.namedItem(field);
  const place = document.getElementById(field + "-error");
  if (!input || !place) return false;
  place.textContent = text;
  if (text) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
  return true;
}

function clear() {
  message.textContent = "";
  for (const field of ["username", "email", "password", "again"]) show(field, "");
}

async function send() {
  const value = (field) => form.elements.namedItem(field).value;
  if (value("password") !== value("again")) {
    show("again", "the two passwords differ");
    return;
  }
  const answer = await fetch("/api/v1/auth/setup", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      token,
      username: value("username"),
      email: value("email"),
      password: value("password"),
    }),
  });
  if (answer.ok) {
    // The token is used up; it need not stay in the address bar.
    history.replaceState(null, "", location.pathname);
    form.hidden = true;
    message.textContent = "Done. Sign in as " + value("username") + ".";
    return;
  }
  const problem = await answer.json().catch(() => ({}));
  const shown = (problem.errors || []).filter((error) => show(error.field, error.message));
  if (shown.length === 0) message.textContent = problem.detail || "The server refused this.";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clear();
  button.disabled = true;
  try {
    await send();
  } catch {
    message.textContent = "The server cannot be reached.";
  } finally {
    button.disabled = false;
  }
});
