"""Tiny models with random weights, in the formats of the real ones."""

from pathlib import Path

import pytest
import torch
import transformers

from lm_plural.harness.scoring import Sample

WORDS = [
    "you",
    "are",
    "a",
    "very",
    "kind",
    "person",
    "damn",
    "stupid",
    "fool",
    "hello",
    "what",
    "the",
    "lovely",
]
WORDS += ["heck", "day", "world"]
SIZE = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 514,
}
# Of different lengths, so that sorting and padding have something to do, with gaps in between.
TEXTS = [
    "hello",
    None,
    "you are a very stupid fool what the heck",
    "",
    "lovely day",
    " \n",
    "kind person " * 400,
    "damn fool",
]
ANSWERED = [0, 2, 4, 6, 7]


@pytest.fixture
def samples():
    return [Sample("what a day", text) for text in TEXTS]


@pytest.fixture
def answered():
    return ANSWERED


def save_tokenizer(kind, folder):
    """Save a tokenizer of a class of transformers over WORDS and return it."""
    if kind == "BertTokenizer":
        tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
        tokenizer = transformers.BertTokenizer(vocab={t: i for i, t in enumerate(tokens)})
    elif kind == "RobertaTokenizer":
        tokens = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "Ġ", *"abcdefghijklmnopqrstuvwxyz"]
        tokenizer = transformers.RobertaTokenizer(vocab={t: i for i, t in enumerate(tokens)}, merges=[])
    elif kind == "AlbertTokenizer":
        tokens = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]", *(f"▁{w}" for w in WORDS)]
        tokenizer = transformers.AlbertTokenizer(vocab=[(t, 0.0) for t in tokens])
    else:
        tokens = ["<s>", "<pad>", "</s>", "<unk>", *(f"▁{w}" for w in WORDS), "<mask>"]
        tokenizer = transformers.XLMRobertaTokenizer(vocab=[(t, 0.0) for t in tokens])
    tokenizer.save_pretrained(folder)
    return tokenizer


def make_network(kind, tokenizer, seed=0, **config):
    """Return a tiny network of a class of transformers, with weights large enough to tell texts apart."""
    torch.manual_seed(seed)
    network_class = getattr(transformers, kind)
    settings = SIZE | {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id} | config
    network = network_class(network_class.config_class(**settings))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return network.eval()


@pytest.fixture
def make_decoder(tmp_path):
    """Return a function that saves a tiny GPT-2 classifier, with or without padding in its tokenizer."""

    def make(padding) -> Path:
        folder = tmp_path / "decoder"
        tokenizer = save_tokenizer("BertTokenizer", folder)
        make_network("GPT2ForSequenceClassification", tokenizer, pad_token_id=None).save_pretrained(folder)
        if not padding:
            tokenizer.pad_token = None
            tokenizer.save_pretrained(folder)
        return folder

    return make


@pytest.fixture
def headless(tmp_path):
    """Return the folder of a tiny BERT without a classification head."""
    folder = tmp_path / "headless"
    make_network("BertModel", save_tokenizer("BertTokenizer", folder)).save_pretrained(folder)
    return folder


@pytest.fixture
def make_classifier(tmp_path):
    """Return a function that saves a tiny BERT classifier with the given labels and returns its folder."""

    def make(*labels, seed=0, name="tiny", **config) -> Path:
        folder = tmp_path / name
        tokenizer = save_tokenizer("BertTokenizer", folder)
        names = dict(enumerate(labels))
        make_network(
            "BertForSequenceClassification",
            tokenizer,
            seed,
            id2label=names,
            label2id={v: k for k, v in names.items()},
            **config,
        ).save_pretrained(folder)
        return folder

    return make


@pytest.fixture
def make_checkpoint(tmp_path):
    """Return a function that saves a tiny checkpoint in detoxify's format and its base's folder."""
    original = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]
    later = [
        "toxicity",
        "severe_toxicity",
        "obscene",
        "identity_attack",
        "insult",
        "threat",
        "sexual_explicit",
    ]
    kinds = {
        "original": ("Bert", original, 6),
        "unbiased": ("Roberta", later, 16),
        "multilingual": ("XLMRoberta", later, 16),
        "original-small": ("Albert", original, 6),
        "unbiased-small": ("Albert", later, 16),
    }

    def make(variant, seed=0) -> tuple[Path, Path]:
        family, classes, outputs = kinds[variant]
        base, path = tmp_path / f"{variant}-base", tmp_path / f"{variant}-{seed}.ckpt"
        tokenizer = save_tokenizer(f"{family}Tokenizer", base)
        small = {"embedding_size": 8} if family == "Albert" else {}
        kind = f"{family}ForSequenceClassification"
        network = make_network(kind, tokenizer, seed, num_labels=outputs, **small)
        # The published base models know nothing of the classes.
        plain = make_network(kind, tokenizer, seed, **small).config
        plain.save_pretrained(base)
        arch = {
            "model_type": str(base),
            "model_name": kind,
            "tokenizer_name": f"{family}Tokenizer",
            "num_classes": outputs,
        }
        config = {"arch": {"args": arch}, "dataset": {"args": {"classes": classes}}}
        torch.save({"config": config, "state_dict": network.state_dict()}, path)
        return path, base

    return make
