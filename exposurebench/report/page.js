(function () {
  "use strict";
  document.documentElement.classList.add("live");

  function number(cell) {
    var value = Number(cell.dataset.value);
    return isNaN(value) ? 1e300 : value;
  }

  document.querySelectorAll("table.sortable").forEach(function (table) {
    var heads = Array.from(table.querySelectorAll("th[data-column]"));
    heads.forEach(function (head) {
      var column = Number(head.dataset.column);
      head.querySelector("button").addEventListener("click", function () {
        var up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        var body = table.tBodies[0];
        Array.from(body.rows).sort(function (a, b) {
          var x = a.cells[column], y = b.cells[column];
          var order = x.dataset.value === undefined
            ? x.textContent.trim().localeCompare(y.textContent.trim(), "en", { numeric: true })
            : number(x) - number(y);
          return up ? order : -order;
        }).forEach(function (row) { body.appendChild(row); });
      });
    });
  });

  document.querySelectorAll("[data-slider]").forEach(function (place) {
    var layers = Array.from(place.closest("section").querySelectorAll("img[data-layer]"));
    if (layers.length < 2) { return; }
    var names = layers.map(function (image) { return image.dataset.layer; });
    function made(tag, kind, parent) {
      var element = document.createElement(tag);
      element.className = kind;
      parent.appendChild(element);
      return element;
    }
    var stage = made("div", "stage", place), choices = made("div", "choices", place);
    var pictures = ["left", "right"].map(function (side) { return made("img", side, stage); });
    made("div", "edge", stage);
    var range = made("input", "", stage);
    range.type = "range"; range.min = 0; range.max = 100; range.value = 50; range.step = 1;
    var chosen = ["left", "right"].map(function (side, number) {
      var label = made("label", "", choices), select;
      label.textContent = side;
      select = made("select", "", label);
      names.forEach(function (name, index) {
        var option = made("option", "", select);
        option.value = index;
        option.textContent = name;
      });
      select.value = number ? names.indexOf("target") : Math.max(0, names.indexOf(place.dataset.slider));
      select.addEventListener("change", show);
      return select;
    });
    range.addEventListener("input", cut);
    function cut() {
      stage.style.setProperty("--cut", range.value + "%");
      range.setAttribute("aria-valuetext", range.value + " % " + names[chosen[0].value] + ", the rest " + names[chosen[1].value]);
    }
    function show() {
      pictures.forEach(function (picture, number) {
        var layer = layers[chosen[number].value];
        picture.src = layer.src;
        picture.alt = layer.alt;
      });
      range.setAttribute("aria-label", "divider between " + names[chosen[0].value] + " and " + names[chosen[1].value]);
      cut();
    }
    show();
  });
})();
