// Notes, in the page itself, what it is told and what it shows, each with the time in milliseconds since 1970; and times an
// officer's input until its result is painted. It runs before the scripts of the page, and changes nothing of them.
(() => {
  const probe = { told: [], anew: 0, rows: [], banners: [], sounds: [] };
  window.probe = probe;

  const Plain = window.Worker;
  window.Worker = class extends Plain {
    constructor(...rest) {
      super(...rest);
      this.addEventListener("message", ({ data }) => {
        if (data.kind === "change") probe.told.push([data.number, data.change, data.event ?? null]);
        if (data.kind === "anew") probe.anew += 1;
      });
    }
  };

  const note = (change) => {
    const at = Date.now();
    for (const node of change.addedNodes) {
      if (node.dataset?.event && node.parentNode?.dataset?.list) probe.rows.push([Number(node.dataset.event), at]);
    }
    const { target, attributeName } = change;
    if (attributeName === "hidden" && target.dataset.banner) probe.banners.push([target.dataset.banner, !target.hidden, at]);
    if (attributeName === "data-sounds") probe.sounds.push([target.dataset.sound, at]);
  };
  new MutationObserver((changes) => changes.forEach(note))
    .observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["hidden", "data-sounds"] });

  // Milliseconds from the next key to the end of the frame in which `isDone` holds; a minute where it never does.
  probe.time = (isDone) => new Promise((resolve) => {
    setTimeout(() => resolve(60_000), 60_000);
    addEventListener("keydown", ({ timeStamp }) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => resolve(performance.now() - timeStamp);
      const look = () => {
        if (isDone()) port2.postMessage(null);
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    }, { capture: true, once: true });
  });
})();
