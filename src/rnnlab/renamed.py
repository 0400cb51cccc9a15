"""What classes were called in earlier versions, whose runs are read as ever."""

from typing import Any

RENAMED = {
    "rnnlab.data.language_data.LanguageData": "rnnlab.tasks.language_model.data.LanguageData",
    "rnnlab.data.memory_data.MemoryData": "rnnlab.tasks.memory.data.MemoryData",
    "rnnlab.data.sentiment_data.SentimentData": "rnnlab.tasks.sentiment.data.SentimentData",
    "rnnlab.models.averaged_sgd.AveragedSGD": "rnnlab.optimization.averaged_sgd.AveragedSGD",
    "rnnlab.models.encoder.RecurrentEncoder": "rnnlab.encoder.recurrent.RecurrentEncoder",
    "rnnlab.models.regularised.RegularisedEncoder": "rnnlab.encoder.regularised.RegularisedEncoder",
    "rnnlab.models.language_model.LanguageModel": "rnnlab.tasks.language_model.task.LanguageModel",
    "rnnlab.models.memory.MemoryTask": "rnnlab.tasks.memory.task.MemoryTask",
    "rnnlab.models.schedules.ConstantThenDecay": "rnnlab.optimization.schedules.ConstantThenDecay",
    "rnnlab.models.schedules.SlantedTriangular": "rnnlab.optimization.schedules.SlantedTriangular",
    "rnnlab.models.sentiment.SentimentClassifier": "rnnlab.tasks.sentiment.task.SentimentClassifier",
}
"""Old dotted names with the new ones."""


def up_to_date(config: dict[str, Any]) -> dict[str, Any]:
    """Return a run's configuration as this version would write it.

    Classes have their new names; a tokenizer is left out where the data has no vocabulary, as nothing ever
    read it there.
    """
    new: dict[str, Any] = with_new_names(config)
    data = new.get("data")
    if "tokenizer" in new and isinstance(data, dict) and "vocabulary" not in data:
        del new["tokenizer"]
    return new


def with_new_names(content: Any) -> Any:
    """Return nested plain data in which each ``_target_`` has its new name.

    >>> with_new_names({"task": {"_target_": "rnnlab.models.memory.MemoryTask"}})
    {'task': {'_target_': 'rnnlab.tasks.memory.task.MemoryTask'}}
    """
    if isinstance(content, dict):
        return {
            key: RENAMED.get(value, value)
            if key == "_target_" and isinstance(value, str)
            else with_new_names(value)
            for key, value in content.items()
        }
    return [with_new_names(value) for value in content] if isinstance(content, list) else content
