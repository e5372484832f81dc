// JupyterLab shows a picture without the text that its output carries, gives ipywidgets' sliders no
// name, and takes the arrow keys from menus and sliders to go to another cell. This extension mends
// all three for those who hear a lesson or have no mouse. It is written so that it needs no build step.
(() => {
  let shared;

  // What webpack's module federation does for an extension that was built with it.
  const load = async (name) => {
    const [version] = Object.values(shared[name]);
    return (await version.get())();
  };

  const named = (RenderedImage) =>
    class extends RenderedImage {
      async render(model) {
        await super.render(model);
        const metadata = Object.values(model.metadata).find((one) => one && one.alt);
        const picture = this.node.querySelector("img");
        if (picture) picture.alt = metadata ? metadata.alt : "";
      }
    };

  const nameHandle = (slider) => {
    const label = slider.querySelector(".widget-label");
    const handle = slider.querySelector(".noUi-handle");
    const readout = slider.querySelector(".widget-readout");
    if (label && handle) handle.setAttribute("aria-label", label.textContent);
    if (label && readout) {
      readout.setAttribute("role", "textbox");
      readout.setAttribute("aria-label", `${label.textContent}, as a number`);
    }
  };

  // A control keeps its keys: JupyterLab's shortcuts look for this attribute.
  const mendControls = () => {
    const slidersAndMenus = ".widget-slider :is(.noUi-handle, .widget-readout), .widget-dropdown select";
    for (const control of document.querySelectorAll(slidersAndMenus)) {
      if (control.hasAttribute("data-lm-suppress-shortcuts")) continue;
      control.setAttribute("data-lm-suppress-shortcuts", "true");
      const slider = control.closest(".widget-slider");
      if (slider) nameHandle(slider);
    }
  };

  const extension = async () => {
    const { IRenderMimeRegistry, RenderedImage } = await load("@jupyterlab/rendermime");
    const NamedImage = named(RenderedImage);
    const plugin = {
      id: "tinyml-helpers:names",
      description: "Pictures and sliders have names, controls keep their keys.",
      autoStart: true,
      requires: [IRenderMimeRegistry],
      activate: (app, registry) => {
        const mimeTypes = ["image/png", "image/jpeg"];
        const createRenderer = (options) => new NamedImage(options);
        registry.addFactory({ safe: true, mimeTypes, createRenderer }, 89);
        new MutationObserver(mendControls).observe(document.body, { childList: true, subtree: true });
      },
    };
    return () => ({ default: plugin, __esModule: true });
  };

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["tinyml-helpers"] = {
    init: (scope) => { shared = scope; },
    get: extension,
  };
})();
