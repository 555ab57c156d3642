# Loads events into ClickHouse's engine and asks each question.
#
# In: the folder of the schema and the questions, a file of events, a file for what is exported again. Out: one line of
# JSON a question, with its rows and how long it took.
import json, pathlib, sys, tempfile, time

from chdb.session import Session

folder, events, export = (pathlib.Path(argument) for argument in sys.argv[1:4])


def statements(path):
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("--")]
    return [text for text in "\n".join(lines).split(";") if text.strip()]


with tempfile.TemporaryDirectory() as place:
    session = Session(place)

    def ask(query, form="CSV"):
        began = time.monotonic()
        rows = str(session.query(query, form))
        return rows, time.monotonic() - began

    def say(name, rows, seconds):
        print(json.dumps({"name": name, "rows": rows, "seconds": seconds}), flush=True)

    for statement in statements(folder / "schema.sql"):
        ask(statement)
    _, seconds = ask(f"INSERT INTO taintwatch.events (event) SELECT line FROM file('{events}', 'LineAsString')")
    say("load", [], seconds)

    # As a collector of logs sends an entry of the journal: the same event once more, beside fields that are no column.
    def count():
        return int(ask("SELECT count() FROM taintwatch.events")[0])

    before = count()
    entry = json.dumps({"TAINTWATCH_EVENT": events.open().readline().strip(), "MESSAGE": "x", "_UID": "0"})
    ask("INSERT INTO taintwatch.entries SETTINGS input_format_skip_unknown_fields = 1 FORMAT JSONEachRow " + entry)
    assert count() == before + 1, "an entry of the journal did not become an event"

    for question in sorted((folder / "questions").glob("*.sql")):
        (query,) = statements(question)
        rows, seconds = ask(query, "JSONCompactEachRow")
        say(question.stem, [json.loads(row) for row in rows.splitlines()], seconds)
    ask(f"SELECT event FROM taintwatch.events FINAL INTO OUTFILE '{export}' TRUNCATE FORMAT TSVRaw")
    size, _ = ask("SELECT sum(bytes_on_disk) FROM system.parts WHERE database = 'taintwatch' AND active")
    say("bytes", [[int(size)]], 0)
    session.close()
