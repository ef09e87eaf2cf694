"use strict";
// Whatever comes from the server is set as textContent: it is text, never markup.
const showsNeighbours = new Set(); // the models that may show training texts
const fieldsOfTwo = new Map(); // the fields of those that take two texts
const takesImages = new Set();
const byId = (name) => document.getElementById(name);

function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

async function call(path, body) {
  const headers = {"Content-Type": "application/json"};
  if (byId("token").value) headers.Authorization = `Bearer ${byId("token").value}`;
  const response = await fetch(path, body ? {method: "POST", headers, body: JSON.stringify(body)} : {headers});
  if (response.status === 401) byId("token-row").hidden = false;
  const content = await response.json();
  if (!response.ok) throw new Error(describe(content.detail, response.status));
  return content;
}

function describe(detail, status) {
  if (typeof detail === "string") return detail;
  return Array.isArray(detail) ? detail.map((fault) => fault.msg).join(" ") : `The server answered ${status}.`;
}

async function showModels() {
  const select = byId("model");
  const models = await call("v1/models");
  models.filter((each) => each.neighbours).forEach((each) => showsNeighbours.add(each.model));
  select.replaceChildren(...models.map((each) => new Option(each.model, each.model)));
  models.filter((each) => each.takes.length === 2).forEach((each) => fieldsOfTwo.set(each.model, each.takes));
  models.filter((each) => each.takes.includes("image")).forEach((each) => takesImages.add(each.model));
  byId("model-row").hidden = models.length < 2;
  showInputs();
  byId("version").textContent = models.map((each) => `${each.model}: ${each.backend}, version ${each.version.slice(0, 12)}`).join("; ");
}

function showInputs() {
  const takesImage = takesImages.has(byId("model").value);
  const fields = fieldsOfTwo.get(byId("model").value);
  byId("question-row").hidden = !fields;
  byId("question-label").textContent = fields?.[1] === "pair" ? "Second text" : "Question";
  byId("text-row").hidden = takesImage;
  byId("text").required = !takesImage;
  byId("file-row").hidden = !takesImage;
  byId("file").required = takesImage;
}

function readFile(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Error("The browser cannot read the file."));
    reader.readAsDataURL(file);
  });
}

async function showImage() {
  const [file] = byId("file").files;
  byId("shown").hidden = !file;
  if (file) byId("shown").src = await readFile(file);
}

async function readQuestion(model, text) {
  if (takesImages.has(model)) {
    const address = await readFile(byId("file").files[0]); // data:TYPE;base64,BYTES
    return {rows: [{image: address.slice(address.indexOf(",") + 1)}]};
  }
  const fields = fieldsOfTwo.get(model);
  return fields ? {rows: [{[fields[0]]: text, [fields[1]]: byId("question").value}]} : {texts: text};
}

function name(answer) {
  if ("answer" in answer) return answer.answer ?? "no answer";
  if ("spans" in answer) return answer.spans.map((span) => `${span.text} (${span.label})`).join(", ") || answer.tags.join(" ");
  if ("labels" in answer) return answer.labels.join(", ") || "no label";
  return String(answer.label ?? answer.value);
}

function listShares(answer) {
  if ("answer" in answer) return {[name(answer)]: answer.probability};
  return Array.isArray(answer.probabilities) ? {} : answer.probabilities ?? {};
}

// The passage with the answer marked; null if there is none, or if its normal form, in which characters are counted, differs.
function markAnswer(answer, text) {
  const characters = [...text.normalize("NFC").trim()];
  const part = (start, end) => characters.slice(start, end).join("");
  if (!answer.answer || part(answer.start, answer.end) !== answer.answer) return null;
  const passage = element("p", "passage", part(0, answer.start));
  passage.append(element("mark", "", answer.answer), part(answer.end));
  return passage;
}

function show(content, text) {
  const [answer] = content.answers;
  const head = element("p", "label", name(answer));
  if (answer.unsure) head.append(element("span", "unsure", " (unsure)"));
  const rows = Object.entries(listShares(answer)).sort((a, b) => b[1] - a[1]).map(([label, share]) => {
    const row = element("div", "row", "");
    const bar = document.createElement("meter");
    bar.value = share;
    bar.setAttribute("aria-label", label);
    row.append(element("span", "", label), bar, element("span", "share", `${(100 * share).toFixed(1)}%`));
    return row;
  });
  const passage = markAnswer(answer, text);
  byId("answer").replaceChildren(head, ...rows, ...(passage ? [passage] : []));
  byId("version").textContent = `${content.model}, version ${content.version.slice(0, 12)}`;
}

async function showNeighbours(model, text) {
  const near = await call("v1/neighbours", {model, text});
  const items = near.map((each) => {
    const item = element("li", "", "");
    item.append(element("b", "", each.label), element("small", "", ` ${each.similarity.toFixed(2)}`), element("p", "near", each.text));
    return item;
  });
  const list = document.createElement("ol");
  list.append(...items);
  byId("near").replaceChildren(element("h2", "", "Nearest training texts"), list);
}

async function send(event) {
  event.preventDefault();
  const [model, text] = [byId("model"), byId("text").value];
  byId("near").replaceChildren();
  byId("send").disabled = true;
  try {
    if (!byId("model").options.length) await showModels();
    const asked = await readQuestion(model.value, text);
    show(await call("v1/predict", {model: model.value, ...asked, all: true}), text);
  } catch (error) {
    byId("answer").replaceChildren(element("p", "error", error.message));
    return;
  } finally {
    byId("send").disabled = false;
  }
  if (!showsNeighbours.has(model.value)) return;
  await showNeighbours(model.value, text).catch((error) => byId("near").replaceChildren(element("p", "error", error.message)));
}

byId("form").addEventListener("submit", send);
byId("model").addEventListener("change", showInputs);
byId("file").addEventListener("change", showImage);
[byId("text"), byId("question")].forEach((field) => field.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("form").requestSubmit();
}));
showModels().catch((error) => byId("answer").replaceChildren(element("p", "error", error.message)));
