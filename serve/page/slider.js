// Before and after: a range input for keyboards and screen readers, the whole picture for pointers.
import { $ } from "./dom.js";

export function setUpSlider() {
  const slider = $("slider");
  const frame = $("frame");
  slider.addEventListener("input", () => {
    frame.classList.remove("reveal"); // it follows at once
    split(Number(slider.value));
  });
  const follow = (event) => {
    const box = frame.getBoundingClientRect();
    split(Math.min(100, Math.max(0, (100 * (event.clientX - box.left)) / box.width)));
  };
  frame.addEventListener("pointerdown", (event) => {
    if (slider.hidden || event.button !== 0) return;
    frame.setPointerCapture(event.pointerId);
    frame.classList.remove("reveal");
    follow(event);
    slider.focus({ preventScroll: true });
    event.preventDefault();
  });
  frame.addEventListener("pointermove", (event) => frame.hasPointerCapture(event.pointerId) && follow(event));
}

function split(value) {
  $("slider").value = Math.round(value);
  $("slider").setAttribute("aria-valuetext", `${Math.round(value)} % original`);
  $("frame").style.setProperty("--split", `${value}%`);
}

export function reveal() {
  const frame = $("frame");
  frame.classList.remove("reveal");
  split(100);
  void frame.offsetWidth; // the browser takes note of it, so that there is a way to go
  frame.classList.add("reveal");
  split(50);
}
