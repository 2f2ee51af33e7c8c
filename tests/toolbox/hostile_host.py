"""A host whose Python is not Python: it reads what begins a helper, and answers what it likes. Started as a program."""

import json
import marshal
import os
import sys
import time
import zlib

MODES = {}


def mode(answer):
    MODES[answer.__name__] = answer
    return answer


def say(**message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def calls():
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if "call" in message:
            yield message["call"]


@mode
def endless_line():
    """Never ends its answer."""
    for _ in calls():
        while True:
            os.write(1, b"x" * 65536)


@mode
def endless_noise():
    """Handled before the marker, see below."""


@mode
def not_json():
    for _ in calls():
        os.write(1, b'{"id": 1, "answer": NaN}\n')


@mode
def deep_json():
    for _ in calls():
        os.write(1, b'{"id":1,"answer":' + b"[" * 100_000 + b"\n")


@mode
def chatter():
    for number in calls():
        for each in range(7000):
            say(id=number, level="info", said=f"\x1b[2J<script>{each}</script>")
        say(id=number, level="<b>", said="x" * 100_000)
        say(id=number, done="a lot", total=3, what=["x"])
        say(id=number, answer={"a\0b": "\ud800<img src=x>\udce9"})


@mode
def foreign_ids():
    for number in calls():
        say(id=number + 5, answer="another's")
        say(id="x", answer=1)
        say(answer=1)
        say(id=number, answer="own")
        say(id=number, answer="twice")


@mode
def odd_failure():
    for number in calls():
        say(id=number, failed="<script>", message="\x1b[31m" + "y" * 100_000)


@mode
def silent():
    for _ in calls():
        time.sleep(60)


@mode
def dies():
    for _ in calls():
        os.write(2, b"Killed \x1b[31m by the kernel\n")
        os.kill(os.getpid(), 9)


def main(name):
    stdin = sys.stdin.buffer
    stdin.read(int(stdin.readline()))
    opening = marshal.loads(zlib.decompress(stdin.read(int(stdin.readline()))))
    if name == "endless_noise":
        while True:
            os.write(1, b"noise\n" * 10_000)
    sys.stdout.write("welcome\n{}\n".format(opening["marker"]))
    say(hello={"account": "a", "home": "/", "base": "/b", "uid": 1})
    MODES[name]()


if __name__ == "__main__":
    main(os.path.basename(sys.argv[0]))
