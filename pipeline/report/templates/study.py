"""The section of the transfer study in the page's Jinja template; it uses the macros of `template`."""

TRANSFER = """\
{% for task in transfer.tasks %}
<section aria-labelledby="transfer-{{ task.task }}">
<h2 id="transfer-{{ task.task }}">What pretraining brings: {{ task.task }}</h2>
<p class="lead">{{ lead(transfer, task) }}</p>
<figure class="large">{{ curves(task) }}
<figcaption>Accuracy on the same {{ task.rows | plural("test example") }} by the number of labelled training examples,
with {{ transfer.confidence | percent }} intervals. Grey: no encoder.</figcaption></figure>
<ul class="found">
{%- for sentence in found(task) %}
<li>{{ sentence }}</li>
{%- endfor %}
</ul>
{% call table("Accuracy by arm and labels, and what the training took with the most of them", ["Arm"] + sizes(task) + [
"#Macro-F1, most labels", "#Updates", "#Tokens"]) %}
{%- for arm in task.arms %}{% set last = arm.points[-1] %}
<tr><th scope="row" class="words">{{ data(arm.title) }}</th>
{%- for point in arm.points %}
<td class="number">{{ measured(point.accuracy) }}</td>
{%- endfor %}
<td class="number">{{ measured(last.macro_f1) }}</td>
<td class="number">{{ last.steps | count }}</td><td class="number">{{ last.tokens | count }}</td></tr>
{%- endfor %}
{% endcall %}
<details><summary>All {{ (task.comparisons | length + task.savings | length) | plural("comparison") }}</summary>
{% for caption, rows in (("With equally many labels", task.comparisons),
("With fewer labels than the other arm", task.savings)) if rows %}
{% call table(caption, [
"Arm", "Against", "#Labels", "#Its labels", "#Gain in points", "#p", "#Adjusted p", "Verdict"]) %}
{%- for row in rows %}
<tr><th scope="row" class="words">{{ data(title_of(task, row.better)) }}</th>
<td class="words">{{ data(title_of(task, row.than)) }}</td>
<td class="number">{{ row.labels }}</td><td class="number">{{ row.against }}</td>
<td class="number">{{ difference(row) }}</td>
<td class="number">{{ row.p_value | p_value }}</td><td class="number">{{ row.adjusted | p_value }}</td>
<td class="nowrap">{{ judged(row.outcome) }}</td></tr>
{%- endfor %}
{% endcall %}
{% endfor %}
</details>
<p class="muted">{{ method(transfer, task) }} {{ tested(transfer, task) }}</p>
</section>
{% endfor %}
"""
