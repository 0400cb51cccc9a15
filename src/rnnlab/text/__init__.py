"""From strings to ids: tokenizers, vocabularies, the encoded cache, pretrained vectors."""
