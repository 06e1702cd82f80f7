from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers

from lm_plural.harness.errors import PluralError, UsageError
from lm_plural.scorers.classifiers.torch import Classifier, changes, choose_device

TEXTS = ["a", "a b c d", "a b", "a b c", "a b c d e", "b", "c d"]


class Refusing(torch.nn.Module):
    """Answers with each text's number of tokens, and runs out of memory above `most` texts."""

    def __init__(self, most, error):
        super().__init__()
        self.most, self.error, self.sizes, self.tokens = most, error, [], 0
        self.config = SimpleNamespace(pad_token_id=0)

    def forward(self, input_ids, attention_mask, **_):
        self.sizes.append(len(input_ids))
        self.tokens += input_ids.numel()
        if len(input_ids) > self.most:
            raise self.error
        return SimpleNamespace(logits=attention_mask.sum(dim=1, keepdim=True).float())


@pytest.fixture
def tokenizer():
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcde"]
    return transformers.BertTokenizer(vocab={t: i for i, t in enumerate(tokens)})


def classifier(network, tokenizer, max_tokens=42, **more):
    return Classifier(network, tokenizer, device="cpu", max_tokens=max_tokens, max_length=16, **more)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("Tried to allocate 2 GiB."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
    ],
)
def test_out_of_memory_halves_the_batch_and_goes_on(tokenizer, error):
    network = Refusing(2, error)
    running = classifier(network, tokenizer)
    lengths = running.logits(TEXTS)[:, 0]
    assert lengths.tolist() == [len(t.split()) + 2 for t in TEXTS]
    assert network.sizes == [6, 3, 1, 1, 1, 1, 1, 2]
    assert running.max_tokens == 7


def test_out_of_memory_on_one_text_is_an_error(tokenizer):
    running = classifier(Refusing(0, torch.OutOfMemoryError("full")), tokenizer)
    with pytest.raises(PluralError, match="out of memory on cpu"):
        running.logits(TEXTS)


def test_network_that_does_not_fit_is_an_error(tokenizer):
    class Large(Refusing):
        def to(self, *_, **__):
            raise self.error

    with pytest.raises(PluralError, match="the classifier does not fit"):
        classifier(Large(9, torch.OutOfMemoryError("full")), tokenizer)


def test_other_errors_are_not_swallowed(tokenizer):
    with pytest.raises(RuntimeError, match="shapes"):
        classifier(Refusing(1, RuntimeError("shapes do not match")), tokenizer).logits(TEXTS)


def test_longest_come_first_and_order_is_kept(tokenizer):
    network = Refusing(99, RuntimeError())
    assert np.array_equal(
        classifier(network, tokenizer, 14).logits(TEXTS), classifier(network, tokenizer).logits(TEXTS)
    )
    assert classifier(network, tokenizer).logits(["a"] * 3, ["b", "b c", "b"])[:, 0].tolist() == [5, 6, 5]


def test_max_tokens_must_be_positive(tokenizer):
    with pytest.raises(UsageError, match="max_tokens must be at least 1, not 0"):
        classifier(Refusing(1, RuntimeError()), tokenizer, 0)


def test_a_budget_of_tokens_pads_far_less_than_batches_in_the_order_of_arrival(tokenizer):
    """Real lengths are mixed: lognormal, as replies of chatbots are (median 52 tokens)."""
    lengths = np.random.default_rng(0).lognormal(np.log(52), 0.9, 512).astype(int).clip(1, 510)
    texts = [" ".join(["a"] * n) for n in lengths]
    network = Refusing(10**6, RuntimeError())
    running = Classifier(network, tokenizer, device="cpu", max_length=512)
    assert running.logits(texts)[:, 0].tolist() == (lengths + 2).tolist()
    arrival = sum(32 * (lengths[n : n + 32].max() + 2) for n in range(0, 512, 32))
    assert arrival >= 2.5 * network.tokens
    assert network.tokens <= 1.1 * (lengths + 2).sum()


def test_bfloat16_says_so_and_is_near(make_classifier):
    folder = make_classifier("fine", "rude")
    network = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    whole, half = (
        Classifier(network, tokenizer, device="cpu", max_length=16, dtype=d) for d in ("float32", "bfloat16")
    )
    texts = ["you are a fool", "lovely day"]
    np.testing.assert_allclose(half.logits(texts), whole.logits(texts), rtol=0.1, atol=0.1)
    assert not np.array_equal(half.logits(texts), whole.logits(texts))
    assert (changes("float32"), changes("bfloat16")) == ({}, {"dtype": "bfloat16"})


def test_device():
    assert choose_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    assert choose_device("cpu") == "cpu"
    for wrong in ("gpu", "cuda:99"):
        with pytest.raises(UsageError, match=f"device '{wrong}' cannot be used here"):
            choose_device(wrong)
