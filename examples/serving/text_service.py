"""A web service of one text, in the standard library: names and probabilities.

Start it with the file of a Pipeline from texts to labels that skhmc.save has written:

    OMP_NUM_THREADS=1 python text_service.py texts.skhmc
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import skhmc

MAX_BYTES = 100_000  # of a request


def answer(model, text):
    """Return the labels of a text, and the probabilities of the most probable three."""
    features = model[:-1].transform([text])
    (labels,) = model[-1].predict_labels(features)
    (names,), (proba,) = model[-1].predict_top_k(features, 3, names=True)
    return {"labels": labels, "proba": dict(zip(names, proba, strict=True))}


def make_server(path, port=8000):
    """Load the model, once, and return a server that answers from several threads."""
    model = skhmc.load(path)
    answer(model, "a text")  # what is computed with the first prediction alone

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            n_bytes = self.headers.get("Content-Length", "")
            if not n_bytes.isdecimal() or int(n_bytes) > MAX_BYTES:
                self.reply(413, {"error": f"Expected at most {MAX_BYTES} bytes."})
                return
            try:
                text = json.loads(self.rfile.read(int(n_bytes)))["text"]
            except (ValueError, TypeError, KeyError, RecursionError):
                text = None
            if isinstance(text, str):
                self.reply(200, answer(model, text))
            else:
                self.reply(400, {"error": 'Expected JSON such as {"text": "a cat"}.'})

        def reply(self, status, found):
            body = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


if __name__ == "__main__":
    make_server(sys.argv[1]).serve_forever()
