// Draws the charts of a page from their specifications, and keeps what a reader opened when a page
// loads again. Without this file a page shows the pictures that the server made.
(() => {
  "use strict";
  const options = {
    ast: true, // Expressions are interpreted: the policy of the page forbids eval.
    actions: false,
    defaultStyle: false,
    renderer: "svg",
    tooltip: { disableDefaultStyle: true },
  };
  let tag = null;
  let opened = [];

  async function draw(figure) {
    const picture = figure.querySelector("svg");
    const host = document.createElement("div");
    host.className = "drawn";
    figure.append(host);
    try {
      await window.vegaEmbed(host, JSON.parse(figure.dataset.spec), options);
      const svg = host.querySelector("svg");
      svg.setAttribute("role", "img");
      svg.setAttribute("aria-label", picture.getAttribute("aria-label"));
      picture.remove();
      figure.dataset.drawn = "";
    } catch (error) {
      host.remove();
      console.warn("a chart stays as the server drew it:", error.message);
    }
  }

  // Charts below the fold are drawn when a reader comes near.
  const near = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) {
          near.unobserve(entry.target);
          draw(entry.target);
        }
      }
    },
    { rootMargin: "300px" },
  );

  function watchCharts() {
    for (const figure of document.querySelectorAll("[data-spec]:not([data-watched])")) {
      figure.dataset.watched = "";
      near.observe(figure);
    }
  }

  function listDetails() {
    return [...document.querySelectorAll("main details")];
  }

  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.elt.id === "main" && tag) {
      event.detail.headers["If-None-Match"] = tag;
    }
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id === "main") {
      tag = event.detail.xhr.getResponseHeader("ETag");
      opened = listDetails().map((item) => item.open);
    }
  });
  document.addEventListener("htmx:afterSettle", () => {
    const details = listDetails();
    if (details.length === opened.length) {
      details.forEach((item, place) => (item.open = item.open || opened[place]));
    }
    watchCharts();
  });
  watchCharts();
})();
