"""A small server on loopback that speaks the Hub's HTTP, and can be told to fail as the Hub may."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import socket
import threading
import time
from collections.abc import AsyncIterator

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

TOKEN = "hf_a_token_of_the_test"


class FakeHub:
    """The server.

    Attributes:
        fault: how it fails now: "", "500", "stall" (no answer), "cut" (breaks off in mid-file).
        cut: the file that breaks off, or stalls.
        private, gated: repositories that want a token, or access.
        asked: paths of files that were sent.
    """

    def __init__(self) -> None:
        self.commits: dict[str, dict[str, dict[str, bytes]]] = {}
        self.names: dict[str, dict[str, str]] = {}
        self.fault = self.cut = ""
        self.private: set[str] = set()
        self.gated: set[str] = set()
        self.asked: list[str] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(self._app(), port=self.port, log_level="critical", lifespan="off")
        self._server = uvicorn.Server(config)
        threading.Thread(target=self._server.run, daemon=True).start()
        while not self._server.started:
            time.sleep(0.02)

    def stop(self) -> None:
        """End it."""
        self._server.should_exit = True

    def commit(self, repo: str, files: dict[str, bytes], revision: str = "main") -> str:
        """Put files into a repository; its full commit."""
        content = repr(sorted((k, hashlib.sha1(v).hexdigest()) for k, v in files.items()))
        sha = hashlib.sha1(content.encode()).hexdigest()
        self.commits.setdefault(repo, {})[sha] = files
        self.names.setdefault(repo, {})[revision] = sha
        return sha

    def _refusal(self, request: Request, repo: str) -> Response | None:
        token = request.headers.get("authorization") == f"Bearer {TOKEN}"
        if repo not in self.commits or (repo in self.private and not token):
            return _error(401, "RepoNotFound", "Repository Not Found")
        if repo in self.gated and not token:
            return _error(401, "GatedRepo", "Access to this model is restricted")
        return None

    def _app(self) -> FastAPI:
        app = FastAPI()

        @app.middleware("http")
        async def failing(request: Request, call_next):
            if self.fault == "500":
                return Response("broken", 500)
            if self.fault == "stall" and not self.cut:
                await asyncio.sleep(60)
            return await call_next(request)

        @app.api_route("/{user}/{name}/resolve/{revision}/{path:path}", methods=["GET", "HEAD"])
        async def resolve(request: Request, user: str, name: str, revision: str, path: str):
            repo = f"{user}/{name}"
            if refused := self._refusal(request, repo):
                return refused
            sha = self.names[repo].get(revision, revision)
            if sha not in self.commits[repo]:
                return _error(404, "RevisionNotFound", "Revision Not Found")
            content = self.commits[repo][sha].get(path)
            if content is None:
                return _error(404, "EntryNotFound", "Entry not found", sha)
            headers = {
                "ETag": f'"{hashlib.sha1(content).hexdigest()}"',
                "X-Repo-Commit": sha,
                "X-Linked-Size": str(len(content)),
                "Accept-Ranges": "bytes",
            }
            if path.endswith(".safetensors"):  # large files live elsewhere, as on the Hub
                headers["X-Linked-ETag"] = f'"{hashlib.sha256(content).hexdigest()}"'
                there = f"http://localhost:{self.port}/elsewhere/{repo}/{sha}/{path}"
                return RedirectResponse(there, 302, headers)
            if request.method == "GET":
                self.asked.append(path)
            return Response(content, headers=headers)

        @app.api_route("/elsewhere/{user}/{name}/{sha}/{path:path}", methods=["GET", "HEAD"])
        async def elsewhere(request: Request, user: str, name: str, sha: str, path: str):
            content = self.commits[f"{user}/{name}"][sha][path]
            if request.method == "HEAD":
                return Response(headers={"Content-Length": str(len(content))})
            self.asked.append(path)
            start = 0
            if given := request.headers.get("range"):
                start = int(given.removeprefix("bytes=").split("-")[0])
            whole = content[start:]
            headers = {"Content-Length": str(len(whole))}
            if start:
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            if path != self.cut:
                return Response(whole, 206 if start else 200, headers)

            async def broken() -> AsyncIterator[bytes]:
                # What asks for the rest gets nothing, or it would come a third of the rest at a time.
                yield b"" if start else whole[: len(whole) // 3]
                if self.fault == "stall":
                    await asyncio.sleep(60)
                raise ConnectionResetError

            return StreamingResponse(broken(), 206 if start else 200, headers)

        @app.post("/api/repos/create")
        async def create(request: Request):
            if request.headers.get("authorization") != f"Bearer {TOKEN}":
                return _error(401, "", "Invalid username or password.")
            body = await request.json()
            repo = f"{body.get('organization') or 'me'}/{body['name']}"
            if repo in self.commits:
                return JSONResponse({"error": "exists", "url": f"{self.address}/{repo}"}, 409)
            if body.get("private"):
                self.private.add(repo)
            self.commit(repo, {".gitattributes": b""})
            return {"url": f"{self.address}/{repo}"}

        @app.get("/api/models/{user}/{name}/revision/{revision}")
        @app.get("/api/models/{user}/{name}")
        async def info(request: Request, user: str, name: str, revision: str = "main"):
            repo = f"{user}/{name}"
            if refused := self._refusal(request, repo):
                return refused
            sha = self.names[repo].get(revision, revision)
            if sha not in self.commits[repo]:
                return _error(404, "RevisionNotFound", "Revision Not Found")
            files = [{"rfilename": path} for path in self.commits[repo][sha]]
            return {"id": repo, "modelId": repo, "sha": sha, "siblings": files, "tags": []}

        @app.get("/api/models/{user}/{name}/tree/{revision}")
        async def tree(request: Request, user: str, name: str, revision: str):
            repo = f"{user}/{name}"
            if refused := self._refusal(request, repo):
                return refused
            files = self.commits[repo][self.names[repo].get(revision, revision)]
            return [
                {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for path, content in files.items()
            ]

        @app.post("/api/models/{user}/{name}/preupload/{revision}")
        async def preupload(request: Request, user: str, name: str, revision: str):
            files = (await request.json())["files"]
            return {
                "files": [
                    {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in files
                ]
            }

        @app.post("/api/models/{user}/{name}/commit/{revision}")
        async def committed(request: Request, user: str, name: str, revision: str):
            repo = f"{user}/{name}"
            files = dict(self.commits[repo][self.names[repo][revision]])
            for line in (await request.body()).splitlines():
                item = json.loads(line)
                if item["key"] == "file":
                    files[item["value"]["path"]] = base64.b64decode(item["value"]["content"])
            sha = self.commit(repo, files, revision)
            url = f"{self.address}/{repo}/commit/{sha}"
            return {"success": True, "commitOid": sha, "commitUrl": url, "hookOutput": ""}

        @app.post("/api/models/{user}/{name}/tag/{revision}")
        async def tagged(request: Request, user: str, name: str, revision: str):
            self.names[f"{user}/{name}"][(await request.json())["tag"]] = revision
            return {}

        @app.post("/api/validate-yaml")
        async def validated():
            return {"errors": [], "warnings": []}

        return app


def _error(status: int, code: str, message: str, sha: str = "") -> JSONResponse:
    headers = {"X-Error-Code": code, "X-Error-Message": message}
    if sha:
        headers["X-Repo-Commit"] = sha
    return JSONResponse({"error": message}, status, headers)
