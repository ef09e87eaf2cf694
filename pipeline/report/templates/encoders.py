"""The part of the page about pretrained encoders, in Jinja: what each learned on held-out documents, beside chance."""

ENCODERS = """\
{% if encoders %}
<section aria-labelledby="encoders">
<h2 id="encoders">Pretrained encoders</h2>
<p>Trained on text without labels; measured on documents that training never saw. <em>By chance</em> is what the
frequencies of words and pairs alone give. <em>Replaced found</em> is the share of tokens of which ELECTRA tells right
whether its generator put them in.</p>
{% call table("Held-out documents, with the weights that are kept", [
"Encoder", "#Weights", "#Tokens of the corpus", "#Perplexity", "#By chance", "#Words right", "#By chance",
"#Pairs right", "#By chance", "#Replaced found"]) %}
{%- for one in encoders %}
<tr><th scope="row" class="nowrap">{{ one.encoder }}</th>
<td class="number">{{ one.parameters | count }}</td>
<td class="number">{{ one.tokens.train | count }}</td>
<td class="number">{{ "%.1f" | format(one.best.perplexity) }}</td>
<td class="number">{{ "%.1f" | format(one.chance.perplexity) }}</td>
<td class="number">{{ one.best.accuracy | share }}</td>
<td class="number">{{ one.chance.accuracy | share }}</td>
<td class="number">{{ one.best.pair_accuracy | share }}</td>
<td class="number">{{ one.chance.pair_accuracy | share }}</td>
<td class="number">{{ one.best.found_accuracy | share }}</td></tr>
{%- endfor %}
{% endcall %}
<div class="columns">
{%- for one in encoders %}
<figure class="chart">{{ pretraining(one) }}
<figcaption>{{ one.encoder }}: {{ one.evaluations[-1].step | count }} of {{ one.steps | count }} steps, ended
{{ endings[one.stopped] }}; {{ one.documents.train | count }} documents.</figcaption></figure>
{%- endfor %}
</div>
</section>
{% endif %}
"""
