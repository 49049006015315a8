"""Lints the templates of AWS after translation: cfn-lint hardly looks into the resources of SAM, only into what they
become. Then puts three errors in, one after the other, and shows that each is found. Needs aws-sam-translator, cfn-lint."""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile

# Translating asks nobody for anything; without this it waits for credentials that a laptop does not have.
os.environ |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
import boto3
import yaml
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

PROJECT = pathlib.Path(__file__).parent.parent
TEMPLATE = (PROJECT / "template.yaml").read_text()
PLAIN = sorted((PROJECT / "deploy/alerts").glob("cloudwatch*.yaml"))
# What each is wrong in, and the word that cfn-lint must say about it. The plain linter finds none of the three.
SEEDED = [
    ("InvokeMode: RESPONSE_STREAM", "InvokeMode: RESPONSE_STREAMS", "RESPONSE_STREAMS"),
    ("      Timeout: 300\n      Policies: [KMSDecrypt", "      Timeout: 1000\n      Policies: [KMSDecrypt", "1000"),
    ("[ReportBatchItemFailures]", "[ReportBatchItemFailure]", "ReportBatchItemFailure"),
]
MANAGED = ["AWSLambdaBasicExecutionRole", "AWSLambdaSQSQueueExecutionRole"]


class Policies:
    def load(self):
        return {name: f"arn:aws:iam::aws:policy/service-role/{name}" for name in MANAGED}


def translated(text):
    template = yaml_parse(text)
    for resource in template["Resources"].values():
        # How it is built is the command line's affair, and what it uploaded stands here afterwards.
        resource.pop("Metadata", None)
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    template["Globals"]["Function"].pop("CodeUri")
    parameters = {"Stage": "dev", "SecretsArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:docent"}
    translator = Translator(Policies().load(), Parser(), boto_session=boto3.Session(region_name="us-east-1"))
    return json.dumps(translator.translate(template, parameters), indent=1, default=str)


def lint(path):
    command = [pathlib.Path(sys.executable).parent / "cfn-lint", "--regions", "us-east-1", "--format", "parseable", "--", path]
    run = subprocess.run(command, capture_output=True, text=True)
    return run.returncode, run.stdout + run.stderr


def main():
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        aliases = [token for token in yaml.scan(TEMPLATE) if isinstance(token, yaml.AliasToken)]
        assert not aliases, f"CloudFormation reads no YAML aliases: {aliases}"
        texts = [TEMPLATE]
        for right, wrong, _ in SEEDED:
            assert TEMPLATE.count(right) == 1, f"no longer in the template, or more than once: {right}"
            texts.append(TEMPLATE.replace(right, wrong))
        paths = [pathlib.Path(folder, f"{number}.json") for number in range(len(texts))]
        for path, text in zip(paths, texts):
            path.write_text(translated(text))
        good, *seeded = pool.map(lint, paths)
        failed = []
        for name, (code, output) in [("template.yaml, translated", good)] + [(p.name, lint(p)) for p in PLAIN]:
            print(f"{name}: {'clean' if code == 0 else output}")
            failed += [name] if code else []
        for (_, wrong, word), (code, output) in zip(SEEDED, seeded):
            found = next((line for line in output.splitlines() if word in line), None)
            print(f"seeded {wrong.split(chr(10))[0].strip()}: {'found' if found else 'NOT FOUND ' + output}")
            failed += [] if code and found else [wrong]
    if failed:
        sys.exit(f"FAILED: {failed}")


main()
