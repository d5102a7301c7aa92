"use strict";
(() => {
  const cards = [...document.querySelectorAll(".card")];
  const texts = cards.map((card) => card.textContent.toLowerCase());
  const [source, modality, words, count] = ["source", "modality", "words", "count"].map((id) => document.getElementById(id));
  function choose() {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    cards.forEach((card, i) => {
      const fits = (!source.value || card.dataset.source === source.value)
        && (!modality.value || card.dataset.modality === modality.value)
        && wanted.every((word) => texts[i].includes(word));
      card.hidden = !fits;
      shown += fits ? 1 : 0;
    });
    count.textContent = shown + " shown";
  }
  for (const control of [source, modality, words]) control.addEventListener("input", choose);
  choose(); // a reload keeps what was chosen
})();
