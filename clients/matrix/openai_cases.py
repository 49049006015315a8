"""The cases of OpenAI's SDK for Python against /v1: those of `openai.mjs`. Prints one line of JSON for each."""

import json
import os
import time
import traceback
import urllib.request

import openai

GIVEN = json.loads(os.environ["DOCENT_MATRIX"])
BOTS, ANSWER, BEGUN, QUESTION = GIVEN["bots"], GIVEN["answer"], GIVEN["begun"], GIVEN["question"]
MESSAGES = [{"role": "user", "content": QUESTION}]
CLASSES = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    413: openai.APIStatusError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
    502: openai.InternalServerError,
}


def sdk(token):
    return openai.OpenAI(base_url=GIVEN["url"] + "/v1", api_key=token, max_retries=0)


client = sdk(GIVEN["token"])


def create(model="default", messages=MESSAGES, by=client, **more):
    return by.chat.completions.create(model=model, messages=messages, **more)


class Told:
    """What a stream has said so far."""

    def __init__(self):
        self.chunks, self.text, self.reason = [], "", None

    def read(self, **wanted):
        for chunk in create(stream=True, **wanted):
            self.chunks.append(chunk)
            for choice in chunk.choices:
                self.text += choice.delta.content or ""
                self.reason = choice.finish_reason or self.reason
        return self


def refused(status, code, call):
    try:
        call()
    except CLASSES[status] as error:
        assert (error.status_code, error.code) == (status, code), (error.status_code, error.code)
        assert "sk-provider-secret" not in str(error) and error.request_id, error
        return
    raise AssertionError(f"{code} was not refused")


def completion():
    choice = create().choices[0]
    assert "fourteen days" in choice.message.content and choice.finish_reason == "stop", choice
    cited = choice.message.annotations[0].url_citation
    assert choice.message.content[cited.start_index : cited.end_index] == "[1]", cited
    assert cited.title == GIVEN["filename"], cited
    assert " ".join(choice.message.model_extra["citations"][0]["quote"].split()) in choice.message.content


def model_words():
    message = create(BOTS["plain"]).choices[0].message
    assert message.content == ANSWER, message
    assert [citation["n"] for citation in message.model_extra["citations"]] == [1], message


def parts():
    content = [{"type": "text", "text": QUESTION}]
    answer = create(messages=[{"role": "user", "content": content}])
    assert "fourteen days" in answer.choices[0].message.content


def history():
    said = [*MESSAGES, {"role": "assistant", "content": "Every fourteen days."}, *MESSAGES]
    assert create(BOTS["turns"], said).choices[0].message.content == "You have asked 2 times."


def refusal():
    answer = create(messages=[{"role": "user", "content": "What does quantum chromodynamics predict about gluons?"}])
    message = answer.choices[0].message
    assert message.content and message.model_extra["citations"] == [], message


def streamed():
    told = Told().read(model=BOTS["plain"])
    assert (told.text, told.reason) == (ANSWER, "stop"), told.text
    assert told.chunks[0].choices[0].delta.role == "assistant"
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in told.chunks}) == 1
    assert all(chunk.usage is None for chunk in told.chunks)


def usage():
    told = Told().read(stream_options={"include_usage": True})
    assert told.chunks[-1].choices == [] and told.chunks[-1].usage.total_tokens >= 0


def accumulator():
    with client.chat.completions.stream(model=BOTS["plain"], messages=MESSAGES) as stream:
        deltas = "".join(event.delta for event in stream if event.type == "content.delta")
        whole = stream.get_final_completion()
    assert deltas == whole.choices[0].message.content == ANSWER, deltas


def leaves():
    stream, text = create(BOTS["long"], stream=True), ""
    for chunk in stream:
        text += chunk.choices[0].delta.content or ""
        if "word3" in text:
            break
    stream.close()
    for _ in range(500):
        with urllib.request.urlopen(GIVEN["asked"]) as answer:
            if json.load(answer)["left"] > 0:
                return
        time.sleep(0.02)
    raise AssertionError("the provider was not let go")


def models():
    listed = [model.id for model in client.models.list()]
    assert GIVEN["name"] in listed, listed
    assert client.models.retrieve(listed[0]).object == "model"
    refused(404, "not_found", lambda: client.models.retrieve("nobody"))


def by_name():
    assert create(GIVEN["name"]).choices[0].message.content == ANSWER


def response():
    answer = client.responses.create(model=BOTS["plain"], input=QUESTION)
    assert (answer.status, answer.output_text) == ("completed", ANSWER), answer
    assert answer.output[0].content[0].annotations[0].title == GIVEN["filename"], answer


def response_streamed():
    with client.responses.stream(model=BOTS["plain"], input=QUESTION) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[-1] == "response.completed" and final.output_text == ANSWER, (kinds, final)


def response_chained():
    first = client.responses.create(model=BOTS["turns"], input=QUESTION)
    second = client.responses.create(model=BOTS["turns"], input=QUESTION, previous_response_id=first.id)
    assert (first.output_text, second.output_text) == ("You have asked 1 times.", "You have asked 2 times.")
    wrong = lambda: client.responses.create(model=BOTS["turns"], input=QUESTION, previous_response_id="resp_0")
    refused(404, "not_found", wrong)


def response_incomplete():
    answer = client.responses.create(model=BOTS["length"], input=QUESTION)
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens"), answer


def response_cut():
    seen = []
    try:
        for event in client.responses.create(model=BOTS["cut"], input=QUESTION, stream=True):
            seen.append(event.type)
    except openai.APIError:
        pass
    assert "response.failed" in seen and "response.completed" not in seen, seen
    refused(502, "upstream_truncated", lambda: client.responses.create(model=BOTS["cut"], input=QUESTION))


def ends(behaviour, reason):
    def whole():
        assert create(BOTS[behaviour]).choices[0].finish_reason == reason

    def stream():
        assert Told().read(model=BOTS[behaviour]).reason == reason

    return {f"completion: the end is {reason}": whole, f"stream: the end is {reason}": stream}


def fails(behaviour, code, status, begun):
    def stream():
        told = Told()
        try:
            told.read(model=BOTS[behaviour])
        except openai.APIError as error:
            assert error.code == code, error.code
            assert (told.text, told.reason) == (begun, None), (told.text, told.reason)
            return
        raise AssertionError("it was taken for a success")

    whole = lambda: refused(status, code, lambda: create(BOTS[behaviour]))
    return {f"whole: the provider {behaviour}": whole, f"streamed: the provider {behaviour}": stream}


LONG = [{"role": "user", "content": "x" * 17_000}]
CASES = {
    "completion: words and citations": completion,
    "completion: a model's words and verified citations": model_words,
    "completion: a question in parts": parts,
    "completion: what was said before reaches the model": history,
    "completion: refused in words, without citations": refusal,
    **ends("length", "length"),
    **ends("filtered", "content_filter"),
    "stream: role, words, end, and no usage unasked": streamed,
    "stream: usage where it is asked for": usage,
    "stream: the SDK's own accumulator": accumulator,
    "stream: who leaves lets the provider go": leaves,
    "models: bots, by name and one by one": models,
    "models: a bot is asked by its name": by_name,
    "response: words, citations and status": response,
    "response: streamed, through the SDK's accumulator": response_streamed,
    "response: one behind the other": response_chained,
    "response: the end is incomplete": response_incomplete,
    "response: a provider that breaks off is no response": response_cut,
    "400: no message": lambda: refused(400, "invalid_request", lambda: create(messages=[])),
    "401: a wrong token": lambda: refused(401, "unauthorized", lambda: create(by=sdk("docent_sk_wrong"))),
    "403: a token that may not chat": lambda: refused(403, "forbidden", lambda: create(by=sdk(GIVEN["reader"]))),
    "404: no such model": lambda: refused(404, "not_found", lambda: create("nobody")),
    "404: no such model, streamed": lambda: refused(404, "not_found", lambda: Told().read(model="nobody")),
    "413: a question as long as a document": lambda: refused(413, "too_large", lambda: create(messages=LONG)),
    "429: a token that has spent its cap": lambda: refused(
        429, "spend_cap_reached", lambda: create(BOTS["plain"], by=sdk(GIVEN["broke"]))
    ),
}
for behaviour, code, status, begun in GIVEN["failures"]:
    CASES.update(fails(behaviour, code, status, begun))

for name, case in CASES.items():
    problem = None
    try:
        case()
    except Exception:
        problem = traceback.format_exc()
    print(json.dumps({"name": name, "problem": problem}), flush=True)
