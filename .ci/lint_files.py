"""Checks of deploy/ and the workflows that no linter of others has: every variable and command that they name is one of
the product's or a listed one of somebody else's; images and actions have exact tags; workflows keep their logic in
scripts; Terraform's references lead somewhere. Needs python-hcl2 and PyYAML."""

import pathlib
import re
import shutil
import subprocess
import sys

import hcl2
import yaml

PROJECT = pathlib.Path(__file__).parent.parent
FILES = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split("\0")
# Variables of other programs, and of the scripts here themselves, which say so in their first lines.
OTHERS = """
AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_REGION AWS_DEFAULT_REGION AWS_PROFILE AWS_ENDPOINT_URL_S3
AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH AWS_ROLE_ARN AWS_STACK AWS_SECRETS_ARN BACKUP_BUCKET BACKUP_ENDPOINT BACKUP_REGION
BACKUP_ACCESS_KEY_ID BACKUP_SECRET_ACCESS_KEY ALARM_EMAIL ALLOWED_ORIGIN SECRETS_ARN PRODUCTION_URL DEPLOYMENT_ENV
SMOKE_TRIES SMOKE_NO_SWEEP NEON_PARENT SECRETS_VERSION AWS_SECRETS_VERSION SECRET_FIELDS AWS_SECRET_FIELDS DOCENT_CHAT_URL APP_PASSWORD DATABASE_PASSWORD BUCKET_PASSWORD INGEST_URL GITHUB_PATH GITHUB_ENV GITHUB_OUTPUT
GITHUB_ACTIONS VERCEL_TOKEN VERCEL_ORG_ID VERCEL_PROJECT_ID VERCEL_AUTOMATION_BYPASS_SECRET VERCEL_TELEMETRY_DISABLED
VERCEL_API_TOKEN NEON_API_KEY NEON_PROJECT_ID CLOUDFLARE_API_TOKEN POSTGRES_DB POSTGRES_PASSWORD MINIO_ROOT_USER
MINIO_ROOT_PASSWORD ON_ERROR_STOP
""".split()
NO_VARIABLES = re.compile(r"RESPONSE_STREAM|CAPABILITY_IAM|ON_FAILURE|TF_VAR_|[A-Z]+_R2_\*|TIMEOUT_MS|SOFTWARE_UPDATE")
failures = []


def check(holds, complaint):
    if not holds:
        failures.append(complaint)


def read(name):
    return (PROJECT / name).read_text()


def theirs(name):
    return name.startswith(("deploy/", ".github/")) or name in ("compose.yaml", "template.yaml", "vercel.json")


def variables():
    product = set()
    for name in FILES:
        if re.match(r"(shared/app|local)/src/.*\.rs$", name):
            product |= set(re.findall(r'[`"]([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)[`="]', read(name)))
    named = 0
    for name in filter(theirs, FILES):
        text = NO_VARIABLES.sub(" ", read(name))
        for variable in set(re.findall(r"(?<![\w$%{.-])\$?\{?([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b", text)):
            named += 1
            known = variable in product or variable in OTHERS or re.fullmatch(r"MASTER_KEY_\d", variable)
            check(known or name.endswith((".mjs", ".py")), f"{name} names {variable}, which neither the product nor the list has")
    print(f"variables: {named} names, each known")


def commands():
    source = read("local/src/command/mod.rs")
    body = source[source.index("enum Verb {"):]
    variants = re.findall(r"^    ([A-Z][a-z]+)[,({ ]", body[: body.index("\n}")], re.M)
    known = {variant.lower() for variant in variants}
    check({"serve", "worker", "migrate", "sweep"} <= known, f"the subcommands were not read: {known}")
    named = 0
    for name in filter(theirs, FILES):
        for word in re.findall(r"(?:`|^ *|\"|: |: \[|\[|&& |exec |&&\n)docent[, ]+(?!and\b|is\b|does\b|has\b)([a-z]+)\b(?! \|)", read(name), re.M):
            named += 1
            check(word in known, f"{name} runs docent {word}, which there is not")
    print(f"commands: {named} uses of {len(known)} subcommands")


def workflows():
    for name in (name for name in FILES if name.startswith(".github/workflows/")):
        workflow = yaml.safe_load(read(name))
        check(workflow["permissions"] == {}, f"{name}: permissions are not empty at the top")
        for job, body in workflow["jobs"].items():
            # A workflow that is called has times of its own.
            timed = "timeout-minutes" in body or body.get("uses", "").startswith("./")
            check("permissions" in body and timed, f"{name}: {job} has no permissions or no timeout")
            for step in body.get("steps", []):
                uses = step.get("uses", "@v1.2.3")
                check(re.search(r"@v\d+\.\d+\.\d+$", uses), f"{name}: {uses} has no exact tag")
                check(step.get("run", "").count("\n") <= 3, f"{name}: {step.get('name')} belongs into a script")
                script = re.match(r"(?:.*[ (])?((?:deploy|\.ci)/[\w.-]+)", step.get("run", ""))
                check(not script or script[1] in FILES, f"{name}: {script and script[1]} does not exist")
        print(f"{name}: {len(workflow['jobs'])} jobs")


def images():
    text = read("compose.yaml") + read("deploy/Dockerfile") + read("deploy/scan-image.sh")
    for image in re.findall(r"(?:image: |FROM |\\\n +)([\w./-]+:[\w.-]+)", text):
        check(re.search(r":(.*\d+\.\d+|RELEASE\.\d{4}-|local$)", image), f"{image} has no exact tag")


def in_strings(match):
    return " ".join(re.findall(r"\$\{([^}]*)\}", match[0])) if match[0].startswith('"') else ""


def terraform():
    blocks, references = set(), set()
    for path in sorted((PROJECT / "deploy/terraform").glob("*.tf")):
        parsed = hcl2.loads(path.read_text())
        unquoted = lambda text: text.strip('"')
        for kind, depth in [("resource", 2), ("variable", 1), ("output", 1)]:
            for block in parsed.get(kind, []):
                for one, inner in block.items():
                    names = [f"{unquoted(one)}.{unquoted(two)}" for two in inner if not two.startswith("__")] if depth == 2 else [unquoted(one)]
                    blocks |= {("var." if kind == "variable" else "output." if kind == "output" else "") + name for name in names}
        for block in parsed.get("locals", []):
            blocks |= {f"local.{unquoted(name)}" for name in block if not name.startswith("__")}
        references |= set(re.findall(r"\b((?:var|local)\.\w+|(?:neon|cloudflare|vercel)_\w+\.\w+)\b", re.sub(r'#.*|"[^"\n]*"', in_strings, path.read_text())))
    check(references <= blocks, f"terraform: nothing is behind {references - blocks}")
    unused = {name for name in blocks if name.startswith(("var.", "local."))} - references
    check(not unused, f"terraform: nobody reads {unused}")
    print(f"terraform: {len(references)} references resolve")
    if shutil.which("terraform"):
        run = subprocess.run(["terraform", "fmt", "-check", "-diff", PROJECT / "deploy/terraform"], capture_output=True, text=True)
        check(run.returncode == 0, f"terraform fmt: {run.stdout}")
    else:
        print("NOT RUN: terraform fmt, for want of the program")
    print("NOT RUN: terraform validate and plan, which need the providers' registry and accounts")


variables()
commands()
workflows()
images()
terraform()
if failures:
    sys.exit("FAILED:\n" + "\n".join(failures))
