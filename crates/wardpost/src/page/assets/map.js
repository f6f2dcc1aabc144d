// The map: markers at their places, new ones after a change, and the administrator's clicks on the plan.

import { ask, toast } from "./page.js";

const $ = (selector, root = document) => root.querySelector(selector);
const REFRESH_MS = 1000;

// Each marker at its fractions of width and height. The policy of the page allows no style in the text of a page.
function put() {
  for (const marker of document.querySelectorAll("[data-plan] .marker")) {
    marker.style.left = `${100 * marker.dataset.x}%`;
    marker.style.top = `${100 * marker.dataset.y}%`;
    marker.classList.toggle("from-right", marker.dataset.x > 0.75);
  }
}

let isWaiting = false;
let isFetching = false;

// At most one fetch a second, and one after the last change.
function refresh() {
  if (isWaiting) return;
  isWaiting = true;
  setTimeout(async () => {
    isWaiting = false;
    if (isFetching) return refresh();
    isFetching = true;
    try {
      await fetchPart();
    } catch {
      // The server is away: the page says so, and the next change asks again.
    } finally {
      isFetching = false;
    }
  }, REFRESH_MS);
}

async function fetchPart() {
  const address = new URL(location.href);
  address.searchParams.set("part", "1");
  const answer = await ask(address);
  if (!answer.ok) return;
  const template = document.createElement("template");
  template.innerHTML = await answer.text();
  for (const part of ["[data-markers]", "[data-cameras]"]) {
    const [before, after] = [$(part), $(part, template.content)];
    // A locked page has none.
    if (!before || !after) return;
    // A place with the focus keeps it.
    const focused = before.contains(document.activeElement) && document.activeElement.getAttribute("href");
    before.replaceWith(after);
    if (focused) [...after.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
  }
  put();
}

addEventListener("wardpost-change", refresh);

// What the administrator does. The page under it changes when a lock opens.
function tend() {
  const [plan, form, upload] = [$("[data-plan]"), $("[data-place]"), $("[data-plan-file]")];
  if (!form) return;
  plan.addEventListener("click", (click) => {
    const marker = click.target.closest(".marker");
    click.preventDefault();
    if (marker) {
      form.elements.camera.value = marker.dataset.camera;
      form.elements.camera.focus();
      return;
    }
    if (!form.elements.camera.value) return;
    const area = plan.getBoundingClientRect();
    const percent = (part, whole) => Math.min(100, Math.max(0, (100 * part) / whole)).toFixed(1);
    form.elements.x.value = percent(click.clientX - area.left, area.width);
    form.elements.y.value = percent(click.clientY - area.top, area.height);
    form.requestSubmit();
  });
  upload.addEventListener("submit", async (submit) => {
    submit.preventDefault();
    const file = upload.elements.file.files[0];
    if (!file) return;
    try {
      const answer = await ask("/map/plan", { method: "POST", body: file, headers: { "content-type": "application/octet-stream" } });
      if (answer.ok) return location.reload();
      toast((await answer.text()).trim(), false);
    } catch {
      toast($("[data-toast]").dataset.failed, false);
    }
  });
}

addEventListener("wardpost-restored", () => {
  put();
  tend();
});
tend();
put();
// Changes between the reading of the page and its first message.
refresh();
