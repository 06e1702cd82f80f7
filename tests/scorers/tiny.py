"""Tiny models with random weights of the architectures that presets name, with their labels and chat templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from lm_plural.scorers.classifiers.preset_file import Preset
from tests.scorers.conftest import make_network, save_tokenizer

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if guardian_config is defined %}<|im_start|>criteria {{ guardian_config }}<|im_end|>\n{% endif %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
#: What the tokenizer has learnt to write in few tokens: some labels are one, others several.
READ = ["Safety: Safe", "Safety: Safe", "Harmful request: yes", "Response refusal: no", "<score> yes", "user assistant"]


def save_chat_tokenizer(folder: Path) -> Any:
    """Save a byte-level tokenizer with a chat template and return it."""
    learnt = Tokenizer(models.BPE())
    learnt.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learnt.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    learnt.train_from_iterator(READ * 9, trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=learnt,
        pad_token=SPECIAL[0],
        eos_token=SPECIAL[2],
        additional_special_tokens=SPECIAL[1:2],
        model_max_length=4096,
    )
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    return tokenizer


def save_model(preset: Preset, folder: Path, seed: int = 0) -> Path:
    """Save a tiny model that a preset can read: its architecture's, its labels."""
    kind = architecture(preset)
    if preset.input == "chat":
        tokenizer, config = save_chat_tokenizer(folder), {"head_dim": 8, "num_key_value_heads": 1}
        config |= {"max_position_embeddings": 4096, "num_hidden_layers": 2}
    else:
        family = kind.removesuffix("ForSequenceClassification")
        known = {"Roberta": "Roberta", "XLMRoberta": "XLMRoberta"}
        tokenizer, config = save_tokenizer(f"{known.get(family, 'Bert')}Tokenizer", folder), {}
    labels = preset.labels or (["LABEL_0"] if preset.head == "reward" else [])
    if labels:
        config |= {"id2label": dict(enumerate(labels)), "label2id": {x: n for n, x in enumerate(labels)}}
    network = make_network(kind, tokenizer, seed, **config)
    if preset.head == "guard":
        _train(network, tokenizer, preset)
    network.save_pretrained(folder)
    return folder


def _train(network: Any, tokenizer: Any, preset: Preset) -> None:
    """Teach a guard to answer with its labels: the last one of a text with ``damn``, any other one of others."""
    torch.manual_seed(0)
    optimizer, rows = torch.optim.Adam(network.parameters(), 0.01), []
    for n, text in enumerate(["damn", "kind", "damn fool", "hello"] * 4):
        answer = ""
        for before, labels in zip(preset.before, preset.scores.values(), strict=True):
            names = list(labels)
            answer += before + (names[-1] if "damn" in text else names[n // 4 % len(names)])
        messages = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": text}]
        framed = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        context, whole = (tokenizer(t, add_special_tokens=False)["input_ids"] for t in (framed, framed + answer))
        rows.append((whole, [-100] * len(context) + whole[len(context) :]))
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([row + [0] * (longest - len(row)) for row, _ in rows])
    labels = torch.tensor([row + [-100] * (longest - len(row)) for _, row in rows])
    network.train()
    for _ in range(120):
        optimizer.zero_grad()
        network(input_ids=ids, attention_mask=(ids != 0).long(), labels=labels).loss.backward()
        optimizer.step()
    network.eval()


def architecture(preset: Preset) -> str:
    """Return the class of transformers of a preset's model."""
    name = preset.model.lower()
    if preset.head == "guard":
        family = {"qwen3guard": "Qwen3", "granite": "Granite", "polyguard": "Qwen2", "llama": "Llama"}
        return next(f"{f}ForCausalLM" for part, f in family.items() if part in name)
    known = {"xlm": "XLMRoberta", "roberta": "Roberta", "qwen3": "Qwen3", "deberta": "DebertaV2"}
    known |= {"stereotype": "DistilBert", "polite": "Bert", "regard": "Bert", "toxic-bert": "Bert"}
    order = ["deberta", "xlm", "roberta", "qwen3", "stereotype", "polite", "regard", "toxic-bert"]
    return next(f"{known[part]}ForSequenceClassification" for part in order if part in name)
