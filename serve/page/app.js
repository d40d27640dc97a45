// The page: sets up its parts, and switches between the empty start and the bench.
import { setUpCorrect } from "./correct.js";
import { $ } from "./dom.js";
import { setUpDownload } from "./download.js";
import { setUpIntake } from "./intake.js";
import { setUpPanel } from "./panel.js";
import { bench } from "./pictures.js";
import { setUpProducts } from "./products.js";
import { setUpStore } from "./store.js";
import { setUpStrip } from "./strip.js";
import { setUpViewer } from "./viewer.js";

bench.addEventListener("selected", ({ detail: picture }) => {
  const leaves = picture && $("start").contains(document.activeElement);
  $("start").hidden = Boolean(picture);
  $("bench").hidden = !picture;
  document.body.classList.toggle("empty", !picture);
  if (leaves) $("viewer").focus({ preventScroll: true }); // or the focus would go with the button that was pressed
});
setUpStrip();
setUpViewer();
setUpCorrect();
setUpPanel();
setUpDownload();
setUpIntake();
await setUpProducts(); // what is kept may be waiting still, and is made in the products that are chosen
await setUpStore();
