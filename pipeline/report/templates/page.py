"""The page as a Jinja template; everything it prints is escaped, and it knows no paths, clocks or scripts."""

from pipeline.report.templates.encoders import ENCODERS
from pipeline.report.templates.study import TRANSFER
from pipeline.report.templates.task import SECTION

HEAD = """\
{%- macro measured(raw) -%}
{%- set found = measure(raw) -%}
{{ found.value | share }}
{%- if found.low is not none %} <span class="interval">{{ found | interval }}</span>{% endif %}
{%- if found.value is none and found.reason %} <span class="interval reason">({{ found.reason }})</span>{% endif %}
{%- endmacro -%}

{%- macro difference(raw) -%}
{%- set found = measure(raw) -%}
{{ found.value | points }}
{%- if found.low is not none %} <span class="interval">{{ found | points_interval }}</span>{% endif %}
{%- if found.value is none and found.reason %} <span class="interval reason">({{ found.reason }})</span>{% endif %}
{%- endmacro -%}

{%- macro judged(outcome) -%}
<span class="{{ tones[outcome.lower()] }}">{{ outcome }}</span>
{%- endmacro -%}

{%- macro head(names) -%}
<thead><tr>
{%- for name in names %}<th scope="col"{% if name.startswith("#") %} class="number"{% endif %}>
{{- name.removeprefix("#") }}</th>{% endfor -%}
</tr></thead>
{%- endmacro -%}

{%- macro table(caption, names, quiet=false) -%}
{% if not quiet %}<p class="caption" aria-hidden="true">{{ caption }}</p>{% endif %}
<div class="scroll" role="region" tabindex="0" aria-label="{{ caption }}">
<table><caption class="quiet">{{ caption }}</caption>{{ head(names) }}
<tbody>
{{- caller() }}
</tbody></table></div>
{%- endmacro -%}

{%- macro checks(caption, rows) -%}
{% call table(caption, ["Check", "Severity", "Outcome", "Expected", "Found", "#Count", "First lines"]) %}
{%- for check in rows %}
<tr><th scope="row" class="words">{{ check.title }}</th><td>{{ check.severity }}</td>
<td class="{{ 'good' if check.outcome == 'passed' else 'bad' if check.severity == 'critical' else 'plain' }}">
{{- check.outcome }}</td>
<td class="words">{{ check.expected }}</td>
<td class="words">{{ check.found }}{% if check.reason %} ({{ check.reason }}){% endif %}</td>
<td class="number">{{ check.count | count }}</td>
<td class="words">{{ check.lines | join(", ") }}</td></tr>
{%- endfor %}
{% endcall %}
{%- endmacro -%}

{%- macro data(text, kind="") -%}
<bdi class="data {{ kind }}" dir="auto">{{ text }}</bdi>
{%- endmacro -%}

<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{{ policy }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{{ title }}</title>
<style>{{ css }}</style>
</head>
<body>
<header>
<h1>{{ data(title) }}</h1>
<p class="muted">{{ tasks | length | plural("task") }}, each measured on test examples that training never saw.</p>
<nav aria-label="Tasks"><ul>
{%- for task in tasks %}
<li><a href="#task-{{ task.name }}">{{ task.name }}</a></li>
{%- endfor %}
{%- for task in transfer.tasks %}
<li><a href="#transfer-{{ task.task }}">what pretraining brings: {{ task.task }}</a></li>
{%- endfor %}
</ul></nav>
</header>
<main>
<section aria-labelledby="overview">
<h2 id="overview">Overview</h2>
{% call table("Accuracy and macro-F1 on the test split, and what the model gains over TF-IDF + logistic regression", [
"Task", "Verdict", "#Accuracy", "#Macro-F1", "#TF-IDF accuracy", "#Gain in points", "#p", "#Classes", "#Test rows"]) %}
{%- for task in tasks %}{% set found = gain(task.evaluation) %}
<tr><th scope="row" class="nowrap"><a href="#task-{{ task.name }}">{{ task.name }}</a></th>
<td class="nowrap">{{ judged(found.outcome) }}</td>
<td class="number">{{ measured(task.evaluation.model.accuracy) }}</td>
<td class="number">{{ measured(task.evaluation.model.macro_f1) }}</td>
<td class="number">{{ measure((task.evaluation.baselines.tfidf or {}).accuracy).value | share }}</td>
<td class="number">{{ difference(found.difference._asdict()) }}</td>
<td class="number">{{ found.p | p_value }}</td>
<td class="number">{{ task.evaluation.labels | length | count }}</td>
<td class="number">{{ task.evaluation.rows | count }}</td></tr>
{%- endfor %}
{% endcall %}
{% if tasks %}
{% call table("What fine-tuning gains over a linear probe on the features of the frozen encoder", [
"Task", "Verdict", "#Accuracy", "#Probe accuracy", "#Gain in points", "#p"]) %}
{%- for task in tasks %}{% set found = gain(task.evaluation, "probe") %}
<tr><th scope="row" class="nowrap">{{ task.name }}</th>
<td class="nowrap">{{ judged(found.outcome) }}</td>
<td class="number">{{ measured(task.evaluation.model.accuracy) }}</td>
<td class="number">{{ measured((task.evaluation.baselines.probe or {}).accuracy) }}</td>
<td class="number">{{ difference(found.difference._asdict()) }}</td>
<td class="number">{{ found.p | p_value }}</td></tr>
{%- endfor %}
{% endcall %}
<div class="columns">
<figure class="chart">{{ gains(tasks, "tfidf") }}
<figcaption>Accuracy gained over TF-IDF + logistic regression, with its interval. A gain is real when the interval
lies right of zero and the test agrees.</figcaption></figure>
<figure class="chart">{{ gains(tasks, "probe") }}
<figcaption>Accuracy gained over a linear probe on the frozen encoder: what fine-tuning itself is worth.
</figcaption></figure>
<div>
<h3>How to read this</h3>
<p>Brackets hold {{ levels }} intervals. A <em>point</em> is one percentage point of accuracy.
The p value is of McNemar's test: both models answer the same test examples, and only those that one of them alone gets
right count.</p>
<p><em>Real gain</em> and <em>real loss</em>: the interval of the difference excludes zero and p is
below one minus its level. <em>No proven difference</em>: chance can explain what was found.</p>
<p>Macro-F1 gives every class the same weight, however rare it is.</p>
</div>
</div>
{% endif %}
</section>
"""

TASKS = """\
{% for task in tasks %}
"""

FOOT = """\
</main>
</body>
</html>
"""

TEMPLATE = HEAD + TRANSFER + TASKS + SECTION + "{% endfor %}\n" + ENCODERS + FOOT
