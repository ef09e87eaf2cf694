"use strict";
// A short page from openapi.json; whatever stands there is set as textContent.
function element(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

function describePath(path, method, operation) {
  const table = document.createElement("table");
  for (const [code, response] of Object.entries(operation.responses)) {
    const row = table.insertRow();
    row.append(element("td", code), element("td", response.description));
  }
  return [element("h2", `${method.toUpperCase()} ${path}`), element("p", operation.description || ""), table];
}

async function show() {
  const document_ = await (await fetch("openapi.json")).json();
  const paths = Object.entries(document_.paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, operation]) => describePath(path, method, operation)));
  document.getElementById("paths").replaceChildren(...paths);
  const schemas = document_.components.schemas;
  const example = (name) => JSON.stringify(schemas[name].examples[0], null, 1);
  const address = new URL("v1/predict", location.href);
  document.getElementById("example").textContent =
    `curl ${address} \\\n  --header 'Content-Type: application/json' \\\n  --data '${example("Question")}'\n\n${example("AnswerList")}`;
}

show().catch((error) => document.getElementById("paths").replaceChildren(element("p", error.message)));
