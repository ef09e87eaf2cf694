"""The section of one task in the page's Jinja template; it uses the macros of `template`."""

SECTION = """\
{%- set evaluation = task.evaluation %}{% set model = evaluation.model %}
<section aria-labelledby="task-{{ task.name }}">
<h2 id="task-{{ task.name }}">{{ task.name }}</h2>
<p class="lead">{{ judged(gain(evaluation).outcome | capitalize) }}. {{ verdict(evaluation) }}
{{ worth(evaluation) }}</p>
<dl class="figures">
{%- for key, name in headline.items() %}{% set found = measure(model[key]) %}
<div><dt>{{ name }}</dt><dd>{{ found.value | share }}
<span class="interval">{{ found | interval if found.value is not none else found.reason or "" }}</span></dd></div>
{%- endfor %}
</dl>

<div class="columns">
<div>
<h3>Results</h3>
<figure class="chart">{{ accuracies(evaluation) }}
<figcaption>Accuracy of the fine-tuned model and of its baselines on the same test examples, with intervals.
</figcaption></figure>
<h3>Most frequent confusions</h3>
{% call table("Errors by actual and predicted class", [
"Actual", "Predicted", "#Rows", "#Share of actual"], quiet=true) %}
{%- for actual, predicted, rows, part in confusions(evaluation.labels, model.confusion, most=6) %}
<tr><td>{{ data(actual | shorten(60)) }}</td><td>{{ data(predicted | shorten(60)) }}</td>
<td class="number">{{ rows | count }}</td><td class="number">{{ part | share }}</td></tr>
{%- else %}
<tr><td colspan="4">No errors.</td></tr>
{%- endfor %}
{% endcall %}
</div>
<div>
<h3>Confusion</h3>
<div class="scroll{{ ' wide' if evaluation.labels | length > 18 }}" role="region" tabindex="0"
aria-label="Confusion matrix"><figure>
{{- confusion(evaluation.labels, model.confusion) }}
<figcaption>Test examples by actual and predicted class; the stronger the colour, the larger the share of the actual
class. Off the diagonal are errors.</figcaption></figure></div>
</div>
</div>
{% call table("Model and baselines on the test split", [
"Model", "#Accuracy", "#Macro-F1", "#Log loss", "#Brier score", "#Calibration error"]) %}
{%- for name, metrics in models(evaluation) %}
<tr><th scope="row" class="words">{{ name }}</th>
{%- for key in headline %}<td class="number">{{ measured(metrics[key]) }}</td>{% endfor %}</tr>
{%- endfor %}
{% endcall %}
{% call table(
"Differences to the baselines in points; p of McNemar's test for accuracy, of paired resampling for macro-F1", [
"Against", "#Accuracy", "#p", "#Detectable", "#Only the model right", "#Only the baseline right", "#Macro-F1", "#p"]) %}
{%- for comparison in evaluation.comparisons %}{% set mcnemar = comparison.mcnemar or {} %}
<tr><th scope="row" class="words">{{ names[comparison.against] }}</th>
<td class="number">{{ difference(comparison.accuracy) }}</td>
<td class="number">{{ mcnemar.p_value | default(none) | p_value }}</td>
<td class="number">{{ (comparison.accuracy or {}).detectable | default(none) | points | replace("+", "±") }}</td>
<td class="number">{{ mcnemar.model_only | default(none) | count }}</td>
<td class="number">{{ mcnemar.baseline_only | default(none) | count }}</td>
<td class="number">{{ difference(comparison.macro_f1) }}</td>
<td class="number">{{ (comparison.macro_f1 or {}).p_value | default(none) | p_value }}</td></tr>
{%- endfor %}
{% endcall %}
<p class="muted"><em>Detectable</em> is the smallest difference in accuracy that so many test rows would show four times
in five; what is smaller takes more of them to prove.</p>
<h3>Classes</h3>
{% call table("Precision, recall and F1 by class", ["Class", "Precision", "Recall", "F1", "#Test rows"], quiet=true) %}
{%- for row in model.classes %}
<tr><th scope="row">{{ data(row.label) }}</th>
{%- for key in ("precision", "recall", "f1") %}
<td class="nowrap">{{ bar(measure(row[key]).value) }}{{ measured(row[key]) }}</td>{% endfor %}
<td class="number">{{ row.support | count }}</td></tr>
{%- endfor %}
{% endcall %}

<div class="columns">
<div>
<h3>Calibration</h3>
<figure class="chart">{{ reliability(model.calibration) }}
<figcaption>On the dashed line the model is right as often as it is sure. Above it the model is too modest, below it too
confident. Expected calibration error {{ measured(model.ece) }}.</figcaption></figure>
</div>
<div>
<h3>Slices</h3>
{% call table("Accuracy and macro-F1 on parts of the test split", [
"Slice", "Value", "#Rows", "Accuracy", "#Macro-F1"], quiet=true) %}
{%- for row in evaluation.slices %}
<tr><th scope="row">{{ data(row.slice) }}</th><td>{{ data(row.value) }}</td>
<td class="number">{{ row.rows | count }}</td>
<td class="nowrap">{{ whisker(measure(row.accuracy), slice_extent(evaluation)) }}{{ measured(row.accuracy) }}</td>
<td class="number">{{ measure(row.macro_f1).value | share }}</td></tr>
{%- else %}
<tr><td colspan="5">No slice has enough rows.</td></tr>
{%- endfor %}
{% endcall %}
</div>
</div>

{%- set seen = task.projection %}
<h3>Features</h3>
<div class="columns">
<figure class="chart">{{ projection(evaluation.labels, seen) }}
<figcaption>{{ seen.points | length | count }} of {{ seen.rows | plural("test example") }} on the two directions in
which their features differ most.</figcaption></figure>
<div>
<p>What the encoder sees before any fine-tuning: {{ seen.width | plural("number") }} an example. A class that lies apart
needs little training; what is not on the plane may still tell classes apart, as the linear probe does with all the
numbers.</p>
</div>
</div>
{% call table("Some test examples, the surest errors first, and the train examples whose features are most alike", [
"Test example", "Actual", "Predicted", "Nearest train examples", "Class", "#Similarity"]) %}
{%- for row in seen.neighbours %}{% for one in row.nearest %}
<tr>{% if loop.first %}<td class="half" rowspan="{{ loop.length }}">{{ data(row.text | shorten(200)) }}</td>
<td rowspan="{{ loop.length }}">{{ data(row.label | shorten(60)) }}</td>
<td rowspan="{{ loop.length }}" class="{{ 'right' if row.predicted == row.label else 'bad' }}">
{{- data(row.predicted | shorten(60)) }}</td>{% endif %}
<td class="half">{{ data(one.text | shorten(200)) }}</td>
<td class="{{ 'right' if one.label == row.label else 'bad' }}">{{ data(one.label | shorten(60)) }}</td>
<td class="number">{{ one.similarity | share }}</td></tr>
{%- endfor %}{% else %}
<tr><td colspan="6">None are kept.</td></tr>
{%- endfor %}
{% endcall %}

<h3>Training</h3>
<div class="columns">
<figure class="chart">{{ learning(task.history) }}
<figcaption>Loss of training and validation, and what the validation split scores, by step. The dashed line is the
checkpoint that was kept.</figcaption></figure>
<div>
{%- set history = task.history %}
<dl class="facts">
<dt>Device</dt><dd>{{ history.device.device }}</dd>
<dt>Precision</dt><dd>{{ history.device.precision }}{% if history.device.reason %}
<span class="muted">({{ history.device.reason }})</span>{% endif %}</dd>
<dt>Attention</dt><dd>{{ history.device.attention }}</dd>
<dt>Threads</dt><dd>{{ history.device.threads | count }}</dd>
<dt>Examples</dt><dd>{{ history.examples.train | count }} train,
{{ history.examples.validation | count }} validation</dd>
<dt>Texts cut</dt><dd>{{ history.truncated | count }}</dd>
<dt>Steps planned</dt><dd>{{ history.steps | count }}</dd>
<dt>Ended</dt><dd>{{ endings[history.stopped] }}</dd>
<dt>Best step</dt><dd>{{ history.best.step | count }} (epoch {{ "%.2f" | format(history.best.epoch) }})</dd>
<dt>Best validation</dt><dd>loss {{ history.best.loss | share }}, accuracy {{ history.best.accuracy | share }},
macro-F1 {{ history.best.macro_f1 | share }}</dd>
</dl>
<details><summary>All {{ history.evaluations | length | plural("evaluation") }}</summary>
{% call table("Evaluations on validation", [
"#Step", "#Epoch", "#Rate", "#Train loss", "#Loss", "#Accuracy", "#Macro-F1"]) %}
{%- for row in history.evaluations %}
<tr><th scope="row" class="number">{{ row.step | count }}</th><td class="number">{{ "%.2f" | format(row.epoch) }}</td>
<td class="number">{{ "%.2e" | format(row.learning_rate) }}</td><td class="number">{{ row.train_loss | share }}</td>
<td class="number">{{ row.loss | share }}</td><td class="number">{{ row.accuracy | share }}</td>
<td class="number">{{ row.macro_f1 | share }}</td></tr>
{%- endfor %}
{% endcall %}
</details>
</div>
</div>

<h3>Data</h3>
{%- set intake = task.intake %}
<p>{{ intake.rows | plural("row") }} read from {{ data(intake.file) }}, {{ intake.kept | count }} kept. Dropped:
{{ intake.dropped.empty | count }} empty, {{ intake.dropped.duplicates | plural("duplicate") }},
{{ intake.dropped.conflicts | count }} with conflicting labels, {{ intake.dropped.leaks | count }} that would leak
between splits. Changed: {{ intake.changed.normalised | plural("text") }} normalised,
{{ intake.changed.controls | count }} with control characters replaced.
{%- if intake.conflicts.texts %} {{ intake.conflicts.texts | plural("text") }} had several labels
(first lines: {{ intake.conflicts.lines | join(", ") }}).{% endif %}</p>
{% call table("Examples by class and split", ["Class", "Share of train", "#Train", "#Validation", "#Test"]) %}
{%- for label in evaluation.labels %}
<tr><th scope="row">{{ data(label) }}</th>
<td class="nowrap">{% set part = train_share(intake, label) %}{{ bar(part) }}{{ part | share }}</td>
{%- for split in ("train", "validation", "test") %}
<td class="number">{{ intake.splits[split].get(label, 0) | count }}</td>{% endfor %}</tr>
{%- endfor %}
<tr><th scope="row">All</th><td></td>
{%- for split in ("train", "validation", "test") %}
<td class="number">{{ intake.splits[split].values() | sum | count }}</td>{% endfor %}</tr>
{% endcall %}

<h3>Findings</h3>
<p>Checks of the data: {{ tally(task.findings) }}.</p>
{%- set failed = warnings(task.findings) %}
{% if failed %}{{ checks("Checks that did not pass", failed) }}{% endif %}
<details><summary>All {{ task.findings.checks | length | plural("check") }}</summary>
{{ checks("All checks of the data", task.findings.checks) }}
</details>

<h3>Most confident errors</h3>
{% call table("Test examples the model got wrong while it was most sure", [
"Text", "Actual", "Predicted", "#Confidence"], quiet=true) %}
{%- for row in evaluation.worst[:worst] %}
<tr><td class="text">{{ data(row.text | shorten(400)) }}</td><td>{{ data(row.label | shorten(60)) }}</td>
<td>{{ data(row.predicted | shorten(60)) }}</td><td class="number">{{ row.confidence | share }}</td></tr>
{%- else %}
<tr><td colspan="4">None are kept.</td></tr>
{%- endfor %}
{% endcall %}
</section>
"""
