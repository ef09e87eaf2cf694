"""Sizes of tiny models of several families."""

SIZE = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}


MODERN = {
    **SIZE, "pad_token_id": 0, "bos_token_id": 1, "cls_token_id": 1, "eos_token_id": 2, "sep_token_id": 2,
    "global_attn_every_n_layers": 2, "local_attention": 4, "max_position_embeddings": 40,
}  # fmt: skip
