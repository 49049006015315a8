"""The unmodified OpenAI SDK for Python against /v1; `openai.test.mjs` runs it."""

import os

import openai

QUESTION = [{"role": "user", "content": "How many days may the keeper of Fastnet wait for the boat?"}]
client = openai.OpenAI(base_url=os.environ["DOCENT_URL"] + "/v1", api_key=os.environ["DOCENT_TOKEN"], max_retries=0)

whole = client.chat.completions.create(model="default", messages=QUESTION)
message = whole.choices[0].message
assert "fourteen days" in message.content and whole.choices[0].finish_reason == "stop", whole
cited = message.annotations[0].url_citation
assert message.content[cited.start_index : cited.end_index] == "[1]" and cited.title == "fastnet.md", cited
assert "fourteen days" in message.model_extra["citations"][0]["quote"], message

text, usage = "", None
for chunk in client.chat.completions.create(
    model="default", messages=QUESTION, stream=True, stream_options={"include_usage": True}
):
    text += "".join(choice.delta.content or "" for choice in chunk.choices)
    usage = chunk.usage or usage
assert text == message.content and usage is not None, (text, usage)
assert [model.object for model in client.models.list()][:1] == ["model"]

response = client.responses.create(model="default", input=QUESTION)
assert response.status == "completed" and "fourteen days" in response.output_text, response
with client.responses.stream(model="default", input=QUESTION, previous_response_id=response.id) as stream:
    kinds = [event.type for event in stream]
    final = stream.get_final_response()
assert kinds[-1] == "response.completed" and final.output_text == response.output_text, (kinds, final)


def refused(kind, **more):
    try:
        list(client.chat.completions.create(**{"model": "default", "messages": QUESTION, "stream": True, **more}))
    except kind:
        return
    raise AssertionError(f"{more} was not refused as {kind.__name__}")


refused(openai.NotFoundError, model="nobody")
refused(openai.BadRequestError, messages=[])
if cut := os.environ.get("DOCENT_CUT_BOT"):
    refused(openai.APIError, model=cut)
client = client.with_options(api_key="docent_sk_nobody")
refused(openai.AuthenticationError)
