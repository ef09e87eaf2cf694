"""The errors of params.yaml, each under the dotted key that has to change."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

# The names that other programs give to keys of params.yaml.
_NAMES = {
    "learning_rate": "lr learningrate initial_lr peak_lr",
    "patience": "early_stopping_patience early_stopping early_stop",
    "epochs": "epoch num_epochs n_epochs num_train_epochs max_epochs",
    "steps": "max_steps num_steps total_steps",
    "batch_size": "bs batch train_batch_size per_device_train_batch_size per_device_eval_batch_size",
    "batch_tokens": "max_tokens tokens_per_batch max_batch_tokens",
    "accumulate": "gradient_accumulation_steps gradient_accumulation grad_accum accumulation_steps",
    "schedule": "lr_scheduler_type lr_scheduler scheduler lr_schedule decay",
    "warmup": "warmup_ratio warmup_steps warmup_proportion",
    "weight_decay": "wd l2 decay_rate",
    "max_grad_norm": "grad_clip clip clip_norm gradient_clip_val max_norm gradient_clipping",
    "dropout": "hidden_dropout hidden_dropout_prob dropout_prob dropout_rate",
    "label_smoothing": "label_smoothing_factor smoothing",
    "class_weights": "class_weight weights weighted_loss",
    "layer_decay": "llrd layerwise_lr_decay lr_decay",
    "freeze_layers": "frozen_layers freeze num_frozen_layers",
    "lora": "lora_r lora_rank rank r peft",
    "metric": "metric_for_best_model monitor best_metric",
    "evaluations": "eval_steps evals eval_frequency num_evals evaluation_strategy eval_strategy",
    "precision": "fp16 bf16 mixed_precision amp dtype torch_dtype",
    "attention": "attn_implementation attn flash_attention",
    "threads": "num_threads n_threads n_jobs num_workers",
    "seed": "random_state random_seed rng",
    "max_length": "max_seq_length max_seq_len max_len seq_length sequence_length model_max_length truncate",
    "ngrams": "ngram_range ngram n_gram",
    "min_df": "min_freq min_count",
    "strengths": "c cs alphas",
    "hidden_size": "d_model dim hidden_dim width",
    "layers": "num_layers num_hidden_layers n_layer n_layers depth",
    "heads": "num_heads num_attention_heads n_head n_heads",
    "intermediate_size": "ffn_dim d_ff ff_size",
    "embedding_size": "embedding_dim emb_dim",
    "vocabulary": "vocab_size vocab",
    "lowercase": "do_lower_case lower uncased",
    "share": "mlm_probability mask_prob masking_ratio",
    "file": "path filename file_name filepath data dataset csv input source",
    "files": "data_files paths file_list globs",
    "format": "type file_type filetype",
    "delimiter": "sep separator delim",
    "quote": "quotechar quote_char quoting",
    "encoding": "charset codec",
    "pattern": "regex regexp",
    "text": "text_column sentence text_field input_column texts",
    "pair": "text_pair sentence2 second_text hypothesis",
    "label": "label_column target labels_column label_field target_column y",
    "labels": "label2id id2label label_map classes class_names label_names label_mapping",
    "split": "split_column partition fold",
    "group": "group_column groups group_by",
    "shares": "split_ratio ratios train_size test_size splits val_size",
    "keep": "columns extra_columns keep_columns metadata",
    "empty": "drop_empty dropna on_empty",
    "unlabelled": "unlabeled missing_labels on_unlabelled",
    "max_chars": "max_characters",
    "min_chars": "min_characters",
    "encoder": "model model_name pretrained_model checkpoint model_name_or_path backbone",
    "revision": "commit sha",
    "id": "repo repo_id name",
    "bins": "n_bins num_bins",
    "resamples": "n_bootstrap bootstraps n_resamples",
}
_SYNONYMS = {other: key for key, others in _NAMES.items() for other in others.split()}


@dataclass(frozen=True)
class Problems:
    """Errors by dotted key, in the order of their discovery; only the first error of a key is kept.

    `at` is the section that the keys of `add` are relative to, and `places` are those of its keys that stand elsewhere,
    by their own dotted keys. All views of `within` share the same errors.
    """

    errors: dict[str, str] = field(default_factory=dict)
    at: str = ""
    places: Mapping[str, str] = field(default_factory=dict)

    def within(self, at: str, places: Mapping[str, str] | None = None) -> "Problems":
        """Return the view of a section; `at` is relative to this one, `places` hold whole dotted keys."""
        return replace(self, at=self.locate(at), places=places or {})

    def add(self, key: str, error: str) -> None:
        """Add an error under a key of this section; under the section itself if `key` is empty."""
        self.errors.setdefault(self.locate(key), error)

    def locate(self, key: str) -> str:
        """Return the whole dotted key of a key of this section."""
        parts = key.split(".")
        for length in range(len(parts), 0, -1):
            head = ".".join(parts[:length])
            if head in self.places:
                return ".".join([self.places[head], *parts[length:]])
        return ".".join(part for part in (self.at, key) if part)

    def listing(self, lines: Mapping[str, int]) -> str:
        """Return one line an error: the line number of the nearest key at or above it, the key, the error."""
        return "\n".join(f"  {_line(key, lines)}{key}: {error}" for key, error in self.errors.items())


def describe_unknown(key: str, allowed: Sequence[str], *, kind: str = "key") -> str:
    """Return the error of a `key` that is not allowed, with the key that is meant.

    It is the one that other programs call so, or the nearest in spelling; all that are allowed if none is near.
    """
    meant = _SYNONYMS.get(key.casefold().replace("-", "_"))
    near = [meant] if meant in allowed else difflib.get_close_matches(key, allowed, n=1, cutoff=0.5)
    fix = f"did you mean `{near[0]}`?" if near else f"allowed: {', '.join(allowed) or 'none here'}"
    return f"unknown {kind}; {fix}"


def _line(key: str, lines: Mapping[str, int]) -> str:
    while key and key not in lines:
        key = key.rpartition(".")[0]
    return f"line {lines[key]}: " if key else ""
